/** What is tested: accounts in a database that whoever makes them hands over. */
class Accounts {
  constructor(db) {
    this.db = db
  }

  async transfer(from, to, amount) {
    await this.db.async.transact(async tx => {
      const balance = await tx.get(from)
      if (balance < amount) throw new Error(`${from} has only ${balance}`)
      await tx.put(from, balance - amount)
      await tx.put(to, ((await tx.get(to)) ?? 0) + amount)
    })
  }
}

module.exports = { Accounts }
