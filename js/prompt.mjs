// What SAM is told by points and a box: read from and written to text, changed by clicks; no page is needed for it.
// A prompt is {points: [{x, y, label}], box: [x0, y0, x1, y1] | null} in pixels of the photo and never changed in place.

export const EMPTY = Object.freeze({ points: Object.freeze([]), box: null })

/** The prompt that a text means, EMPTY for an empty text, null for a text in another form, which is then left alone. */
export function read(text) {
  if (!text?.trim()) return EMPTY
  let said
  try {
    said = JSON.parse(text)
  } catch {
    return null
  }
  if (Array.isArray(said)) said = { points: said }
  if (said === null || typeof said !== 'object') return null
  const { points = [], box = null, ...further } = said
  if (Object.keys(further).length || !Array.isArray(points)) return null
  const marked = points.map(readPoint)
  const hasBox = Array.isArray(box) && box.length > 0
  if (marked.includes(null) || !(box === null || Array.isArray(box))) return null
  if (hasBox && !(box.length === 4 && box.every(Number.isFinite))) return null
  return { points: marked, box: hasBox ? [...box] : null }
}

function readPoint(point) {
  const [x, y, label = 1] = Array.isArray(point) ? point : [point?.x, point?.y, point?.label]
  return Number.isFinite(x) && Number.isFinite(y) && (label === 0 || label === 1) ? { x, y, label } : null
}

/** The text of a prompt, in the form the node takes; nothing at all for an empty one. */
export function write(prompt) {
  const parts = []
  if (prompt.points.length) {
    parts.push(`"points": [${prompt.points.map(({ x, y, label }) => `[${x}, ${y}, ${label}]`).join(', ')}]`)
  }
  if (prompt.box) parts.push(`"box": [${prompt.box.join(', ')}]`)
  return parts.length ? `{${parts.join(', ')}}` : ''
}

/** The prompt after a click at `at`: a point or a corner of the box within `reach` goes, else a point comes. */
export function clicked(prompt, at, label, reach) {
  const hit = nearest(prompt.points, at, reach)
  if (hit >= 0) return { ...prompt, points: prompt.points.filter((_, i) => i !== hit) }
  if (nearest(corners(prompt.box), at, reach) >= 0) return { ...prompt, box: null }
  return { ...prompt, points: [...prompt.points, { ...at, label }] }
}

/** The prompt with the box round all pixels between two, whichever way it was drawn; its far side is exclusive. */
export function boxed(prompt, from, to) {
  const [x0, x1] = [from.x, to.x].sort((a, b) => a - b)
  const [y0, y1] = [from.y, to.y].sort((a, b) => a - b)
  return { ...prompt, box: [x0, y0, x1 + 1, y1 + 1] }
}

/** The index of the place nearest to `at` and within `reach` of it, or -1. */
export function nearest(places, at, reach) {
  const away = places.map(({ x, y }) => Math.hypot(x - at.x, y - at.y))
  const least = Math.min(...away)
  return least <= reach ? away.indexOf(least) : -1
}

function corners(box) {
  if (!box) return []
  const [x0, y0, x1, y1] = box
  return [{ x: x0, y: y0 }, { x: x1, y: y0 }, { x: x0, y: y1 }, { x: x1, y: y1 }]
}

/** Where a photo lies in a frame that shows all of it, centred: its left and top edge and the size of its pixels. */
export function fitted(frame, photo) {
  const scale = Math.min(frame.width / photo.width, frame.height / photo.height)
  const left = (frame.left ?? 0) + (frame.width - photo.width * scale) / 2
  const top = (frame.top ?? 0) + (frame.height - photo.height * scale) / 2
  return { left, top, scale }
}

/** The whole pixel of the photo under a place on the page; beside the photo the nearest one. */
export function toPhoto(place, frame, photo) {
  const { left, top, scale } = fitted(frame, photo)
  const inside = (value, size) => Math.min(size - 1, Math.max(0, Math.floor(value)))
  return { x: inside((place.x - left) / scale, photo.width), y: inside((place.y - top) / scale, photo.height) }
}
