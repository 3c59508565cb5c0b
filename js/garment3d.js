// The pack's one script: it hangs the point editor under Garment Mask (SAM).
import { app } from '../../scripts/app.js'
import { api } from '../../scripts/api.js'
import { photoAddress } from './photo.mjs'
import { pointEditor } from './points.mjs'

const LOOK_MS = 400 // neither renderer says when a text or a node further up has changed

app.registerExtension({
  name: 'garment3d.points',
  nodeCreated(node) {
    if (node.comfyClass !== 'Garment3D_SamMask') return
    const prompt = node.widgets?.find(({ name }) => name === 'prompt')
    if (!prompt) return
    // The text is for those who want it; the room is the picture's.
    Object.assign(prompt.options, { getMinHeight: () => 44, getMaxHeight: () => 60 })
    let known
    const { element, show, load } = pointEditor({
      onChange(text) {
        known = text
        prompt.value = text
        prompt.callback?.(text)
        app.canvas?.setDirty(true, true)
      },
    })
    const widget = node.addDOMWidget('points', 'garment3d_points', element, {
      serialize: false,
      hideOnZoom: false,
      getMinHeight: () => 330,
    })
    widget.serialize = false // the text beside it is what is saved and sent
    const look = () => {
      show(photoAddress(node, 'image', { app, api }))
      if (prompt.value !== known) load((known = prompt.value))
    }
    const timer = setInterval(look, LOOK_MS)
    const removed = node.onRemoved
    node.onRemoved = function (...given) {
      clearInterval(timer)
      return removed?.apply(this, given)
    }
    look()
  },
})
