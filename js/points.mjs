// A picture to click on: points on the garment and beside it and a box round it, as a plain element of the page.
// It knows nothing of ComfyUI: whoever holds it says which photo to show and keeps the text it writes.
import { boxed, clicked, EMPTY, fitted, read, toPhoto, write } from './prompt.mjs'

const REACH = 9 // how near on the screen a click has to come to a point to mean it
const DRAG = 5 // and how far the pointer has to go to draw a box
const POINT = 5.5
const SVG = 'http://www.w3.org/2000/svg'
const HINT = 'Click: on the garment · Right or Shift click: not · Drag: box · Click a point or a corner: remove'
const STYLE = `
.garment3d-points { display: flex; flex-direction: column; gap: 4px; width: 100%; height: 100%; min-height: 310px;
  box-sizing: border-box; font: 11px/1.35 sans-serif; color: var(--descrip-text, #999); user-select: none; }
.garment3d-points svg { flex: 1 1 0; min-height: 0; width: 100%; cursor: crosshair; touch-action: none;
  background: var(--comfy-input-bg, #222); border-radius: 4px; }
.garment3d-points footer { display: flex; gap: 8px; align-items: center; }
.garment3d-points footer span { flex: 1; }
.garment3d-points button { font: inherit; padding: 2px 10px; cursor: pointer; border-radius: 4px;
  color: var(--input-text, #ddd); background: var(--comfy-input-bg, #222); border: 1px solid var(--border-color, #555); }
`

/** The editor's element, and what its holder calls: show(url) for the photo, load(text) for what the prompt is now. */
export function pointEditor({ onChange, page = document }) {
  const editor = new PointEditor(onChange, page)
  return { element: editor.element, show: (url) => editor.show(url), load: (text) => editor.load(text) }
}

class PointEditor {
  constructor(onChange, page) {
    this.onChange = onChange
    this.page = page
    this.prompt = EMPTY
    this.readable = true
    this.url = null
    this.photo = null
    this.pressed = null
    this.build()
  }

  build() {
    addStyle(this.page)
    this.element = this.make('div', { class: 'garment3d-points' })
    this.picture = this.page.createElementNS(SVG, 'svg')
    this.footer = this.make('footer')
    this.hint = this.make('span')
    this.clear = this.make('button', { type: 'button' })
    this.clear.textContent = 'Clear'
    this.footer.append(this.hint, this.clear)
    this.element.append(this.picture, this.footer)
    this.clear.addEventListener('click', () => this.change(EMPTY))
    // The graph under the picture must not move its nodes or open its menu for what is meant for the photo.
    for (const kind of ['pointerdown', 'pointermove', 'pointerup', 'contextmenu', 'dblclick']) {
      this.element.addEventListener(kind, (event) => event.stopPropagation())
    }
    this.picture.addEventListener('contextmenu', (event) => event.preventDefault())
    this.picture.addEventListener('pointerdown', (event) => this.press(event))
    this.picture.addEventListener('pointermove', (event) => this.move(event))
    this.picture.addEventListener('pointerup', (event) => this.release(event))
    this.picture.addEventListener('pointercancel', () => this.drop())
    const { ResizeObserver } = this.page.defaultView
    new ResizeObserver(() => this.draw()).observe(this.picture)
    this.draw()
  }

  make(name, attributes = {}) {
    const made = this.page.createElement(name)
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
    return made
  }

  show(url) {
    if (url === this.url) return
    this.url = url
    this.photo = null
    this.draw()
    if (!url) return
    const image = new this.page.defaultView.Image()
    image.onload = () => {
      if (url !== this.url) return
      this.photo = { width: image.naturalWidth, height: image.naturalHeight }
      this.draw()
    }
    image.src = url
  }

  load(text) {
    const prompt = read(text)
    this.readable = prompt !== null
    this.prompt = prompt ?? EMPTY
    this.draw()
  }

  change(prompt) {
    this.readable = true
    this.prompt = prompt
    this.draw()
    this.onChange(write(prompt))
  }

  press(event) {
    if (!this.photo || event.button > 2) return
    event.preventDefault()
    this.picture.setPointerCapture(event.pointerId)
    this.pressed = { x: event.clientX, y: event.clientY, label: event.button === 2 || event.shiftKey ? 0 : 1, far: false }
  }

  move(event) {
    if (!this.pressed) return
    const away = Math.hypot(event.clientX - this.pressed.x, event.clientY - this.pressed.y)
    this.pressed.far ||= away > DRAG
    if (this.pressed.far && this.pressed.label) this.draw(boxed(this.prompt, ...this.ends(event)))
  }

  release(event) {
    if (!this.pressed) return
    const [from, to] = this.ends(event)
    const { far, label } = this.pressed
    this.pressed = null
    if (far && label) this.change(boxed(this.prompt, from, to))
    else this.change(clicked(this.prompt, from, label, REACH / this.pixel()))
  }

  drop() {
    this.pressed = null
    this.draw()
  }

  /** Where the pointer went down and where it is, in pixels of the photo. */
  ends(event) {
    const frame = this.picture.getBoundingClientRect()
    const places = [this.pressed, { x: event.clientX, y: event.clientY }]
    return places.map((place) => toPhoto(place, frame, this.photo))
  }

  /** The size on the screen of a pixel of the photo. */
  pixel() {
    return fitted(this.picture.getBoundingClientRect(), this.photo).scale
  }

  draw(prompt = this.prompt) {
    this.hint.textContent = this.said()
    this.clear.disabled = this.readable && !prompt.points.length && !prompt.box
    this.picture.replaceChildren()
    if (!this.photo) return
    const { width, height } = this.photo
    this.picture.setAttribute('viewBox', `0 0 ${width} ${height}`)
    // Lines and points are as thick on a large photo as on a small one; the graph's zoom enlarges them with the node.
    const thick = 1 / fitted({ width: this.picture.clientWidth || 1, height: this.picture.clientHeight || 1 }, this.photo).scale
    this.shape('image', { href: this.url, width, height })
    if (prompt.box) this.drawBox(prompt.box, thick)
    for (const { x, y, label } of prompt.points) {
      const look = { fill: label ? '#2fbf4f' : '#e5484d', stroke: '#fff', 'stroke-width': 1.5 * thick }
      this.shape('circle', { cx: x + 0.5, cy: y + 0.5, r: POINT * thick, 'data-label': label, ...look })
    }
  }

  drawBox([x0, y0, x1, y1], thick) {
    const place = { x: x0, y: y0, width: x1 - x0, height: y1 - y0, fill: 'none' }
    this.shape('rect', { ...place, stroke: '#000', 'stroke-opacity': 0.5, 'stroke-width': 4 * thick })
    this.shape('rect', { ...place, stroke: '#4aa8ff', 'stroke-width': 2 * thick })
    for (const [cx, cy] of [[x0, y0], [x1, y0], [x0, y1], [x1, y1]]) {
      this.shape('circle', { cx, cy, r: 0.6 * POINT * thick, fill: '#4aa8ff', 'data-corner': '' })
    }
  }

  shape(name, attributes) {
    const made = this.page.createElementNS(SVG, name)
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
    this.picture.append(made)
  }

  said() {
    if (!this.url) return 'Connect Load Image, or run once, to see the photo here.'
    if (!this.readable) return 'The text is not in the form drawn here; a click starts anew.'
    return HINT
  }
}

function addStyle(page) {
  const id = 'garment3d-points-style'
  if (page.getElementById(id)) return
  const style = page.createElement('style')
  style.id = id
  style.textContent = STYLE
  page.head.append(style)
}
