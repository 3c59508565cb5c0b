"""SAM's image embedding: made once per photo and model, kept where the caller wants, handed back to SamPredictor.

The encoder is nearly all of SAM's work; with the embedding at hand a changed point costs only the small decoder.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..images import over_white

if TYPE_CHECKING:
    import torch
    from segment_anything import SamPredictor
    from segment_anything.modeling import Sam

THUMB_PX = 512
"""Longest side of the small copy of the photo that stays with the embedding."""
_MATRICES = 3.3
"""Attention matrices of a global block that are alive at once: 3.05 to 3.2 measured in vit_b, vit_l and vit_h."""
_DECODER_BYTES = 200_000_000


@dataclass(frozen=True, eq=False)
class Embedding:
    """What SAM's encoder made of one photo."""

    features: torch.Tensor
    """[1,256,64,64] float32, on the CPU: 4 MB."""
    hw: tuple[int, int]
    """Of the photo."""
    input_hw: tuple[int, int]
    """Of the photo as SAM saw it, longest side 1024."""
    thumb: np.ndarray
    """[h,w,3] uint8 small copy of the photo, to judge masks by."""
    key: str
    """The same for the same pixels and encoder weights only: what a cache goes by."""


def embed(sam: Sam, rgb: np.ndarray, device: str | torch.device = "cpu", alpha: np.ndarray | None = None) -> Embedding:
    """The embedding of an [H,W,3] uint8 photo, by one pass of the encoder on `device`, where the network stays.

    Args:
        alpha: [H,W] uint8; transparent parts are seen as white, because any colour may lie hidden under them.
    """
    from segment_anything import SamPredictor

    seen = over_white(rgb, alpha)
    predictor = SamPredictor(sam.to(device))
    predictor.set_image(seen)
    features = predictor.features.detach().float().cpu()
    hw, input_hw = (int(seen.shape[0]), int(seen.shape[1])), predictor.input_size
    return Embedding(features, hw, (int(input_hw[0]), int(input_hw[1])), _thumb(seen), embedding_key(sam, rgb, alpha))


def embedding_key(sam: Sam, rgb: np.ndarray, alpha: np.ndarray | None = None) -> str:
    """A text that only this photo with these encoder weights has; some 10 ms for 12 megapixels."""
    import torch

    digest = hashlib.blake2b(digest_size=16)
    for pixels in (rgb, alpha):
        if pixels is not None:
            digest.update(repr((pixels.shape, str(pixels.dtype))).encode())
            digest.update(np.ascontiguousarray(pixels).data)
    # Norms and biases are 1 % of the weights and no training leaves them as they were.
    small = [weight.detach().flatten().float() for weight in sam.image_encoder.parameters() if weight.ndim == 1]
    digest.update(torch.cat(small).cpu().numpy().data)
    return digest.hexdigest()


class EmbeddingCache:
    """The embeddings used last, some 5 MB each on the CPU; it belongs to whoever made it and ends with them."""

    def __init__(self, capacity: int = 4) -> None:
        self._capacity = capacity
        self._held: OrderedDict[str, Embedding] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def find(self, key: str) -> Embedding | None:
        """The embedding of that key, or None."""
        if key in self._held:
            self._held.move_to_end(key)
        return self._held.get(key)

    def keep(self, embedding: Embedding) -> None:
        """Holds an embedding and lets go of the one that was not used for longest, when there are too many."""
        self._held[embedding.key] = embedding
        self._held.move_to_end(embedding.key)
        while len(self._held) > self._capacity:
            self._held.popitem(last=False)

    def embed(
        self, sam: Sam, rgb: np.ndarray, device: str | torch.device = "cpu", alpha: np.ndarray | None = None
    ) -> Embedding:
        """As `embed`, without running the encoder where this photo's embedding by this model is held."""
        found = self.find(embedding_key(sam, rgb, alpha))
        if found is None:
            found = embed(sam, rgb, device, alpha)
            self.keep(found)
        return found


def encoder_bytes(sam: Sam) -> int:
    """Memory of one encoder pass beside the weights: 2.7 GB for vit_b, 3.5 GB for vit_l and vit_h, for any photo."""
    grid = sam.image_encoder.img_size // sam.image_encoder.patch_embed.proj.kernel_size[0]
    return round(_MATRICES * 4 * sam.image_encoder.blocks[0].attn.num_heads * grid**4)


def decoder_bytes(hw: tuple[int, int]) -> int:
    """Memory of one decoder pass beside the weights for a photo of that size: three masks of logits, mostly."""
    return _DECODER_BYTES + 3 * 4 * hw[0] * hw[1]


def predictor_for(sam: Sam, embedding: Embedding, device: str | torch.device = "cpu") -> SamPredictor:
    """A SamPredictor as `set_image` leaves it, without running the encoder."""
    from segment_anything import SamPredictor

    predictor = SamPredictor(sam.to(device))
    predictor.original_size, predictor.input_size = embedding.hw, embedding.input_hw
    predictor.features = embedding.features.to(device)
    predictor.is_image_set = True
    return predictor


def _thumb(rgb: np.ndarray) -> np.ndarray:
    scale = min(1.0, THUMB_PX / max(rgb.shape[:2]))
    wh = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    return np.asarray(Image.fromarray(rgb).resize(wh, Image.Resampling.BOX))
