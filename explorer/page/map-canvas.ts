/**
 * Draws the map. All blocks lie in one small picture, a pixel each, of which only what has changed is painted anew; each
 * frame copies the part that is seen to the screen, so that a frame takes as long with a million blocks as with ten.
 * Where cells are large enough, their fill and number are drawn over it.
 */
import { MapFlag, USES } from '../../src/explorer/shapes.ts'
import { NAMES, percent } from './text.tsx'
import { onTheme } from './theme.tsx'

export type Shading = 'use' | 'fill' | 'state' | 'heat'

interface Changes {
  readonly blocks: number
  readonly changed?: Uint32Array
  readonly uses: Uint8Array
  readonly fills: Uint8Array
  readonly flags: Uint8Array
  /** Blocks that were used, and that were changed. */
  readonly used: Uint32Array
  readonly written: Uint32Array
}

/** All of it, at some moment. */
interface Picture {
  readonly uses: Uint8Array
  readonly fills: Uint8Array
  readonly flags: Uint8Array
}

type Color = readonly [number, number, number]

const LARGEST_CELL = 64
/** From this size on cells have edges and fill, and from that on numbers. */
const CELL_WITH_EDGE = 9
const CELL_WITH_NUMBER = 34
/** How long a block that has changed glows; and how long uses and changes are seen on the map of heat. */
const GLOW_MS = 900
const HEAT_MS = 6000
/** Colours between that of a block and that of one which has just been used or changed. */
const LEVELS = 16
/** Steps of how full a block is that colours tell apart. */
const FILLS = 32
const CLICK_PIXELS = 4

export class MapCanvas {
  blocks = 0
  columns = 1
  onSelect: (block: number) => void = () => {}
  onOpen: (block: number) => void = () => {}
  private readonly canvas: HTMLCanvasElement
  private readonly context: CanvasRenderingContext2D
  private readonly picture: HTMLCanvasElement = document.createElement('canvas')
  private readonly pictureContext: CanvasRenderingContext2D
  private image: ImageData | undefined
  private uses: Uint8Array = new Uint8Array(0)
  private fills: Uint8Array = new Uint8Array(0)
  private flags: Uint8Array = new Uint8Array(0)
  /** The picture, a word for each block. */
  private pixels: Uint32Array = new Uint32Array(0)
  /** By what a block looks like (`looksOf`), and how much it glows: its pixel. */
  private palette: Uint32Array = new Uint32Array(0)
  /** By block when it was used and changed last, in milliseconds; and the blocks of which that is not long ago. */
  private usedAt: Float64Array = new Float64Array(0)
  private writtenAt: Float64Array = new Float64Array(0)
  private warm: Uint32Array = new Uint32Array(0)
  private warmCount = 0
  private isWarm: Uint8Array = new Uint8Array(0)
  /** The block that something has just happened to, in slow motion. */
  private current: number | undefined
  private shading: Shading = 'use'
  private selected: number | undefined
  /** Pixels of a cell, and where block 0 lies. */
  private cell = 1
  private x = 0
  private y = 0
  private isFitted = true
  private frame: number | undefined
  private readonly pointers: Map<number, { x: number; y: number }> = new Map()
  private moved = 0
  private readonly observer: ResizeObserver
  private colors: readonly Color[] = []
  private back: Color = [0, 0, 0]
  private accent: Color = [255, 255, 255]
  private cold: Color = [255, 255, 255]
  private readonly stopTheme: () => void = onTheme(() => {
    this.readColors()
    this.paintAll()
  })

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas
    this.context = canvas.getContext('2d')!
    this.pictureContext = this.picture.getContext('2d')!
    this.readColors()
    this.observer = new ResizeObserver(() => this.resized())
    this.observer.observe(canvas)
    canvas.addEventListener('wheel', this.onWheel, { passive: false })
    canvas.addEventListener('pointerdown', this.onDown)
    canvas.addEventListener('pointermove', this.onMove)
    canvas.addEventListener('pointerup', this.onUp)
    canvas.addEventListener('pointercancel', this.onUp)
    canvas.addEventListener('dblclick', this.onDouble)
  }

  stop(): void {
    this.observer.disconnect()
    this.stopTheme()
    if (this.frame !== undefined) cancelAnimationFrame(this.frame)
    this.frame = undefined
  }

  /** Takes the map, or what has changed of it. */
  take({ blocks, changed, uses, fills, flags, used, written }: Changes): void {
    this.current = undefined
    if (changed === undefined) {
      this.show({ uses, fills, flags })
      return
    }
    if (blocks !== this.blocks) this.grow(blocks)
    for (let i = 0; i < changed.length; i++) {
      const block = changed[i]!
      this.uses[block] = uses[i]!
      this.fills[block] = fills[i]!
      this.flags[block] = flags[i]!
    }
    const now = performance.now()
    for (const block of changed) this.touch(block, this.writtenAt, now)
    for (const block of written) this.touch(block, this.writtenAt, now)
    for (const block of used) this.touch(block, this.usedAt, now)
    if (changed.length + used.length + written.length > 0) this.draw()
  }

  /** Shows another state of the file; in slow motion also what has just happened to which block. */
  show({ uses, fills, flags }: Picture, event?: { block?: number; what: string }): void {
    if (uses.length !== this.blocks) this.grow(uses.length)
    this.uses.set(uses)
    this.fills.set(fills)
    this.flags.set(flags)
    this.current = event?.block
    if (event?.block !== undefined) {
      const isChange = event.what === 'change' || event.what === 'write'
      this.touch(event.block, isChange ? this.writtenAt : this.usedAt, performance.now())
    }
    this.paintAll()
  }

  private touch(block: number, times: Float64Array, now: number): void {
    if (block >= this.blocks) return
    times[block] = now
    if (this.isWarm[block] === 1) return
    this.isWarm[block] = 1
    this.warm[this.warmCount++] = block
  }

  /** How many blocks there are of each use. */
  counts(): number[] {
    const counts = USES.map(() => 0)
    for (const use of this.uses) counts[use]!++
    return counts
  }

  factsOf(block: number): string {
    const flags = this.flags[block] ?? 0
    const state = [
      (flags & MapFlag.resident) === 0 ? '' : ', in memory',
      (flags & MapFlag.dirty) === 0 ? '' : ', newer there than in the file',
      (flags & MapFlag.blank) === 0 ? '' : ', never written',
    ]
    return `${NAMES[USES[this.uses[block] ?? 0]!]}, ${percent((this.fills[block] ?? 0) / 255)} full${state.join('')}`
  }

  shade(shading: Shading): void {
    this.shading = shading
    this.mix()
    this.paintAll()
  }

  /** Shows which block is chosen, and moves there if it is out of sight. */
  select(block: number | undefined): void {
    this.selected = block
    if (block !== undefined) {
      const x = this.x + (block % this.columns) * this.cell
      const y = this.y + Math.floor(block / this.columns) * this.cell
      const { width, height } = this.seen
      if (x < 0 || x + this.cell > width) this.x += width / 2 - x
      if (y < 0 || y + this.cell > height) this.y += height / 2 - y
    }
    this.draw()
  }

  zoom(factor: number): void {
    const { width, height } = this.seen
    this.zoomAt(factor, width / 2, height / 2)
  }

  /** Shows all of it. */
  fit(): void {
    this.isFitted = true
    this.place()
    this.draw()
  }

  private get seen(): { width: number; height: number } {
    return { width: this.canvas.clientWidth, height: this.canvas.clientHeight }
  }

  private grow(blocks: number): void {
    const [uses, fills, flags] = [new Uint8Array(blocks), new Uint8Array(blocks), new Uint8Array(blocks)]
    uses.set(this.uses.subarray(0, blocks))
    fills.set(this.fills.subarray(0, blocks))
    flags.set(this.flags.subarray(0, blocks))
    this.uses = uses
    this.fills = fills
    this.flags = flags
    this.blocks = blocks
    const [usedAt, writtenAt] = [new Float64Array(blocks), new Float64Array(blocks)]
    usedAt.fill(Number.NEGATIVE_INFINITY)
    writtenAt.fill(Number.NEGATIVE_INFINITY)
    this.usedAt = usedAt
    this.writtenAt = writtenAt
    this.isWarm = new Uint8Array(blocks)
    this.warm = new Uint32Array(blocks)
    this.warmCount = 0
    this.place()
    this.paintAll()
  }

  /** Columns and size of cells, so that all of them fill what is seen. */
  private place(): void {
    const { width, height } = this.seen
    if (width === 0 || this.blocks === 0) return
    if (this.isFitted) {
      this.columns = Math.max(1, Math.ceil(Math.sqrt((this.blocks * width) / Math.max(1, height))))
      const rows = Math.ceil(this.blocks / this.columns)
      this.cell = Math.min(width / this.columns, height / rows, 28)
      this.x = (width - this.cell * this.columns) / 2
      this.y = 0
    }
    const rows = Math.ceil(this.blocks / this.columns)
    if (this.picture.width === this.columns && this.picture.height === rows) return
    this.picture.width = this.columns
    this.picture.height = rows
    this.image = this.pictureContext.createImageData(this.columns, rows)
    this.pixels = new Uint32Array(this.image.data.buffer)
    this.paintAll()
  }

  private resized(): void {
    const scale = window.devicePixelRatio
    const { width, height } = this.seen
    this.canvas.width = Math.round(width * scale)
    this.canvas.height = Math.round(height * scale)
    this.place()
    this.draw()
  }

  private readColors(): void {
    const styles = getComputedStyle(document.documentElement)
    const color = (name: string): Color => {
      const hex = styles.getPropertyValue(name).trim().slice(1)
      return [0, 2, 4].map(at => Number.parseInt(hex.slice(at, at + 2), 16)) as unknown as Color
    }
    this.colors = USES.map(use => color(`--use-${use}`))
    this.back = color('--paper')
    this.accent = color('--accent')
    this.cold = color('--link')
    this.mix()
  }

  /** Mixes the palette of a shading. */
  private mix(): void {
    const { colors, back, accent, cold, shading } = this
    const looks: Color[] = []
    if (shading === 'heat')
      // By how long ago it was changed; the level is how long ago it was used.
      for (let written = 0; written < LEVELS; written++) looks.push(mixed(back, accent, written / (LEVELS - 1)))
    for (const color of shading === 'heat' ? [] : colors) {
      if (shading === 'use') looks.push(color, mixed(back, color, 0.35))
      if (shading === 'state') looks.push(mixed(back, color, 0.15), mixed(back, color, 0.6), accent)
      for (let fill = 0; shading === 'fill' && fill < FILLS; fill++)
        looks.push(mixed(back, color, 0.08 + (0.92 * fill) / (FILLS - 1)))
    }
    this.palette = new Uint32Array(looks.length * LEVELS)
    for (const [i, look] of looks.entries())
      for (let level = 0; level < LEVELS; level++) {
        const share = level / (LEVELS - 1)
        // What was changed a moment ago stays so, whoever used it.
        const isWritten = shading === 'heat' && i > 0
        const warm = shading === 'heat' ? mixed(mixed(back, colors[0]!, 0.12), cold, share) : mixed(look, accent, share)
        this.palette[i * LEVELS + level] = word(isWritten ? mixed(warm, accent, i / (LEVELS - 1)) : warm)
      }
  }

  /** Which of the looks of the palette a block has. */
  private looksOf(block: number, now: number): number {
    const use = this.uses[block]!
    const flags = this.flags[block]!
    switch (this.shading) {
      case 'use':
        return 2 * use + ((flags & MapFlag.blank) === 0 ? 0 : 1)
      case 'state':
        return 3 * use + ((flags & MapFlag.dirty) !== 0 ? 2 : (flags & MapFlag.resident) !== 0 ? 1 : 0)
      case 'fill':
        return FILLS * use + ((this.fills[block]! * (FILLS - 1)) >>> 8)
      case 'heat':
        return levelOf(now - this.writtenAt[block]!, HEAT_MS)
    }
  }

  private paint(block: number, now: number): void {
    const level =
      this.shading === 'heat'
        ? levelOf(now - this.usedAt[block]!, HEAT_MS)
        : levelOf(now - this.writtenAt[block]!, GLOW_MS)
    this.pixels[block] = this.palette[this.looksOf(block, now) * LEVELS + level]!
  }

  /** Paints what is warm, and forgets what is no longer. */
  private cool(now: number): void {
    if (this.warmCount === 0 || this.image === undefined) return
    const { warm, isWarm, usedAt, writtenAt } = this
    let kept = 0
    for (let i = 0; i < this.warmCount; i++) {
      const block = warm[i]!
      this.paint(block, now)
      if (now - Math.max(usedAt[block]!, writtenAt[block]!) < HEAT_MS) warm[kept++] = block
      else isWarm[block] = 0
    }
    this.warmCount = kept
    this.pictureContext.putImageData(this.image, 0, 0)
  }

  private paintAll(): void {
    if (this.pixels.length < this.blocks) return
    const now = performance.now()
    for (let block = 0; block < this.blocks; block++) this.paint(block, now)
    if (this.image !== undefined) this.pictureContext.putImageData(this.image, 0, 0)
    this.draw()
  }

  private draw(): void {
    this.frame ??= requestAnimationFrame(now => {
      this.frame = undefined
      this.drawNow(now)
    })
  }

  private drawNow(now: number): void {
    const { context, cell, x, y, columns } = this
    const scale = window.devicePixelRatio
    context.setTransform(scale, 0, 0, scale, 0, 0)
    const { width, height } = this.seen
    context.clearRect(0, 0, width, height)
    context.imageSmoothingEnabled = cell < 1
    this.cool(now)
    if (this.image !== undefined) context.drawImage(this.picture, x, y, columns * cell, this.picture.height * cell)
    if (cell >= CELL_WITH_EDGE) this.drawCells(width, height)
    if (this.selected !== undefined) {
      context.strokeStyle = this.styleOf(this.accent)
      context.lineWidth = 2
      const size = Math.max(cell, 6)
      const [left, top] = [x + (this.selected % columns) * cell, y + Math.floor(this.selected / columns) * cell]
      context.strokeRect(left - 1, top - 1, size + 2, size + 2)
    }
    if (this.current !== undefined) this.ring(this.current)
    if (this.warmCount > 0) this.draw()
  }

  /** Around the block that something has just happened to, large enough to be seen. */
  private ring(block: number): void {
    const { context, cell, x, y, columns } = this
    const radius = Math.max(cell, 7)
    context.strokeStyle = this.styleOf(this.accent)
    context.lineWidth = 3
    context.beginPath()
    context.arc(x + ((block % columns) + 0.5) * cell, y + (Math.floor(block / columns) + 0.5) * cell, radius, 0, 7)
    context.stroke()
  }

  /** Of the cells that are seen: edges, how full they are, and their numbers. */
  private drawCells(width: number, height: number): void {
    const { context, cell, x, y, columns, blocks } = this
    const firstRow = Math.max(0, Math.floor(-y / cell))
    const lastRow = Math.min(this.picture.height - 1, Math.floor((height - y) / cell))
    const firstColumn = Math.max(0, Math.floor(-x / cell))
    const lastColumn = Math.min(columns - 1, Math.floor((width - x) / cell))
    context.font = '10px ui-monospace, monospace'
    const back = this.styleOf(this.back)
    for (let row = firstRow; row <= lastRow; row++)
      for (let column = firstColumn; column <= lastColumn; column++) {
        const block = row * columns + column
        if (block >= blocks) return
        const [left, top] = [x + column * cell, y + row * cell]
        context.fillStyle = back
        context.fillRect(left + cell - 1, top, 1, cell)
        context.fillRect(left, top + cell - 1, cell, 1)
        // What is free of it is drawn in the colour of the paper, from above.
        context.globalAlpha = 0.55
        context.fillRect(left, top, cell - 1, (cell - 1) * (1 - this.fills[block]! / 255))
        context.globalAlpha = 1
        if (cell < CELL_WITH_NUMBER) continue
        context.fillStyle = this.styleOf(this.accent)
        context.fillText(String(block), left + 3, top + 11)
      }
  }

  private styleOf([red, green, blue]: Color): string {
    return `rgb(${red} ${green} ${blue})`
  }

  private blockAt(event: MouseEvent): number | undefined {
    const edge = this.canvas.getBoundingClientRect()
    const column = Math.floor((event.clientX - edge.left - this.x) / this.cell)
    const row = Math.floor((event.clientY - edge.top - this.y) / this.cell)
    const block = row * this.columns + column
    return column < 0 || column >= this.columns || row < 0 || block >= this.blocks ? undefined : block
  }

  private zoomAt(factor: number, x: number, y: number): void {
    const cell = Math.max(0.05, Math.min(LARGEST_CELL, this.cell * factor))
    const ratio = cell / this.cell
    this.x = x - (x - this.x) * ratio
    this.y = y - (y - this.y) * ratio
    this.cell = cell
    this.isFitted = false
    this.draw()
  }

  private readonly onWheel = (event: WheelEvent): void => {
    event.preventDefault()
    const edge = this.canvas.getBoundingClientRect()
    this.zoomAt(Math.exp(-event.deltaY / 400), event.clientX - edge.left, event.clientY - edge.top)
  }

  private readonly onDown = (event: PointerEvent): void => {
    this.canvas.setPointerCapture(event.pointerId)
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY })
    this.moved = 0
  }

  private readonly onMove = (event: PointerEvent): void => {
    const before = this.pointers.get(event.pointerId)
    if (before === undefined) {
      const block = this.blockAt(event)
      this.canvas.title = block === undefined ? '' : `block ${block}: ${this.factsOf(block)}`
      return
    }
    const [dx, dy] = [event.clientX - before.x, event.clientY - before.y]
    this.moved += Math.abs(dx) + Math.abs(dy)
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1]
    if (other === undefined) {
      this.x += dx
      this.y += dy
      if (this.moved > CLICK_PIXELS) this.isFitted = false
      this.draw()
    } else {
      const distance = (at: { x: number; y: number }): number => Math.hypot(at.x - other.x, at.y - other.y)
      const edge = this.canvas.getBoundingClientRect()
      const factor = distance({ x: event.clientX, y: event.clientY }) / Math.max(1, distance(before))
      this.zoomAt(factor, other.x - edge.left, other.y - edge.top)
    }
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY })
  }

  private readonly onUp = (event: PointerEvent): void => {
    this.pointers.delete(event.pointerId)
    const block = this.moved > CLICK_PIXELS ? undefined : this.blockAt(event)
    if (block !== undefined && event.type === 'pointerup') this.onSelect(block)
  }

  private readonly onDouble = (event: MouseEvent): void => {
    const block = this.blockAt(event)
    if (block !== undefined) this.onOpen(block)
  }
}

/** `share` of the second colour, and the rest of the first. */
const mixed = (a: Color, b: Color, share: number): Color =>
  [0, 1, 2].map(i => Math.round(a[i]! + (b[i]! - a[i]!) * share)) as unknown as Color

/** As a pixel of a picture lies in memory, on machines that store the lowest byte first, as all browsers run on. */
const word = ([red, green, blue]: Color): number => ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0

/** How much of a glow is left after so long, from 0 to the highest level. */
const levelOf = (since: number, lasts: number): number =>
  since >= lasts ? 0 : Math.min(LEVELS - 1, Math.ceil((LEVELS - 1) * (1 - Math.max(0, since) / lasts)))
