// The point editor's arithmetic, told by hand: run with `node --test tests/points.mjs`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { photoAddress } from '../js/photo.mjs'
import { boxed, clicked, EMPTY, fitted, nearest, read, toPhoto, write } from '../js/prompt.mjs'

const TWO = { points: [{ x: 10, y: 20, label: 1 }, { x: 30, y: 40, label: 0 }], box: [1, 2, 50, 60] }

test('text and prompt go round', () => {
  assert.equal(write(TWO), '{"points": [[10, 20, 1], [30, 40, 0]], "box": [1, 2, 50, 60]}')
  for (const prompt of [TWO, EMPTY, { ...TWO, box: null }, { ...EMPTY, box: [0, 0, 9, 9] }]) {
    assert.deepEqual(read(write(prompt)), prompt)
  }
  assert.equal(write(EMPTY), '')
})

test('both ways to write a point are read', () => {
  assert.deepEqual(read('{"points": [{"x": 10, "y": 20, "label": 1}, [30, 40, 0]], "box": [1, 2, 50, 60]}'), TWO)
  assert.deepEqual(read('[[10, 20]]'), { points: [{ x: 10, y: 20, label: 1 }], box: null })
  for (const empty of ['', '  ', '{}', '[]', '{"points": [], "box": []}']) assert.deepEqual(read(empty), EMPTY)
})

test('what it does not know is left alone', () => {
  const strange = ['{', 'null', '7', '"text"', '{"positive": [[1, 2]]}', '{"points": [[1]]}', '{"points": [[1, 2, 3]]}']
  for (const text of [...strange, '{"points": 5}', '{"box": [1, 2, 3]}', '{"box": {"x": 1}}', '{"points": [["1", 2]]}']) {
    assert.equal(read(text), null, text)
  }
})

test('a click adds, a click on a point or a corner of the box removes', () => {
  const one = clicked(EMPTY, { x: 5, y: 6 }, 0, 3)
  assert.deepEqual(one, { points: [{ x: 5, y: 6, label: 0 }], box: null })
  assert.deepEqual(clicked(TWO, { x: 12, y: 21 }, 1, 3).points, [TWO.points[1]])
  assert.equal(clicked(TWO, { x: 12, y: 24 }, 1, 3).points.length, 3)
  assert.deepEqual(clicked(TWO, { x: 49, y: 3 }, 1, 3), { ...TWO, box: null })
  assert.equal(EMPTY.points.length, 0)
  assert.equal(TWO.points.length, 2)
})

test('the nearest of several in reach is meant', () => {
  const places = [{ x: 0, y: 0 }, { x: 4, y: 0 }]
  assert.equal(nearest(places, { x: 3, y: 0 }, 5), 1)
  assert.equal(nearest(places, { x: 3, y: 0 }, 0.5), -1)
  assert.equal(nearest([], { x: 3, y: 0 }, 5), -1)
})

test('a box has its corners in order and holds both pixels it was drawn between', () => {
  assert.deepEqual(boxed(TWO, { x: 9, y: 2 }, { x: 3, y: 8 }), { ...TWO, box: [3, 2, 10, 9] })
  assert.deepEqual(boxed(EMPTY, { x: 9, y: 2 }, { x: 9, y: 2 }).box, [9, 2, 10, 3])
})

test('the photo lies in the middle of its frame', () => {
  const photo = { width: 200, height: 100 }
  assert.deepEqual(fitted({ width: 100, height: 100 }, photo), { left: 0, top: 25, scale: 0.5 })
  assert.deepEqual(fitted({ left: 7, top: 9, width: 400, height: 100 }, photo), { left: 107, top: 9, scale: 1 })
})

test('a place on the page is a pixel of the photo, also under zoom and beside it', () => {
  const frame = { left: 10, top: 20, width: 100, height: 100 }
  const photo = { width: 200, height: 100 }
  assert.deepEqual(toPhoto({ x: 60.2, y: 70.2 }, frame, photo), { x: 100, y: 50 })
  assert.deepEqual(toPhoto({ x: 10, y: 45 }, frame, photo), { x: 0, y: 0 })
  assert.deepEqual(toPhoto({ x: 500, y: -500 }, frame, photo), { x: 199, y: 0 })
  assert.deepEqual(toPhoto({ x: 109.9, y: 94.9 }, frame, photo), { x: 199, y: 99 })
})

const api = { apiURL: (path) => `/api${path}` }
const joined = (before, own = {}) => ({ id: 2, inputs: [{ name: 'sam' }, { name: 'image' }], getInputNode: (i) => (i ? before : null), ...own })

test('the photo is what the node before showed, else the file it loads, else what the node itself showed', () => {
  const load = { id: 1, type: 'LoadImage', widgets: [{ name: 'image', value: 'a/b c.png [temp]' }] }
  const shown = { images: [{ filename: 'x.png', subfolder: '', type: 'temp' }] }
  const address = (node, nodeOutputs = {}) => photoAddress(node, 'image', { app: { nodeOutputs }, api })
  assert.equal(address(joined(load)), '/api/view?filename=b+c.png&subfolder=a&type=temp')
  assert.equal(address(joined(load), { 1: shown }), '/api/view?filename=x.png&subfolder=&type=temp')
  assert.equal(address(joined({ type: 'Reroute', getInputNode: () => load })), address(joined(load)))
  assert.equal(address(joined(null), { 2: shown }), '/api/view?filename=x.png&subfolder=&type=temp')
  assert.equal(address(joined({ id: 1, type: 'Other' })), null)
  const inside = { isRootGraph: false, id: 'sub' }
  assert.match(address(joined({ id: 1, type: 'Other', graph: inside }), { 'sub:1': shown }), /x\.png/)
})
