"""The clothes parser: its folder read strictly, its picture prepared as trained, and garments taken from its classes.

The classes of drawn people are known because they were drawn; they are handed in as the network's output.
"""

import json
import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from garment3d.errors import MaskError, MissingWeights, PromptError, UnclearGarment, WeightsError
from garment3d.mask.clothes import Parsed, clothes_mask, label_map, load_parser, parse
from garment3d.mask.clothes_labels import choices, meant
from tests.drawn import GARMENTS, coverage, disc, mask_of
from tests.tiny.clothes import ATR, FASHIONPEDIA, HUMAN, config, person, shapes, write_clothes

HW = (512, 384)


def as_logits(classes, count, cells=128):
    """[count,cells,cells] what a network that knows the classes would say: the log of their share in each cell."""
    sized = (Image.fromarray((classes == i).astype(np.float32)) for i in range(count))
    shares = np.stack([np.asarray(s.resize((cells, cells), Image.Resampling.BOX)) for s in sized])
    return torch.from_numpy(np.log(np.clip(shares, 0, 1) + 1e-3)).float()


def seen_as(classes, labels=ATR):
    return Parsed(as_logits(classes, len(labels)), labels, classes.shape)


def iou(soft, binary):
    inside = soft >= 0.5
    return (inside & binary).sum() / (inside | binary).sum()


def worn(*layers, labels=FASHIONPEDIA):
    """A plain picture and its classes from (name, [H,W] coverage, colour), the hindmost first."""
    rgb, classes = np.full((*HW, 3), 235.0), np.zeros(HW, np.int64)
    for name, covered, colour in layers:
        rgb += covered[..., None] * (np.array(colour, float) - rgb)
        classes[covered >= 0.5] = labels.index(name)
    return rgb.round().astype(np.uint8), classes


def band(x0, y0, x1, y1):
    return coverage(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float), HW)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("parsers") / "b2"
    write_clothes(path)
    return path


@pytest.fixture(scope="module")
def parser(folder):
    return load_parser(folder)


class TestLabels:
    def test_each_label_set_offers_its_garments(self):
        assert choices(ATR) == ("upper", "dress", "skirt", "pants", "scarf")
        assert choices(FASHIONPEDIA) == choices(HUMAN) == ("upper", "coat", "dress", "skirt", "pants", "scarf")
        assert choices(("wall", "sky", "person")) == ()
        assert (len(ATR), len(FASHIONPEDIA), len(HUMAN)) == (18, 47, 57)

    @pytest.mark.parametrize(
        ("word", "labels", "names"),
        [
            ("upper", ATR, ["Upper-clothes"]),
            ("Upper_Clothes", ATR, ["Upper-clothes"]),
            ("jeans", ATR, ["Pants"]),
            ("coat/jacket", ATR, ["Upper-clothes"]),
            ("Hat", ATR, ["Hat"]),
            ("T-Shirt", FASHIONPEDIA, ["shirt, blouse", "top, t-shirt, sweatshirt", "sweater", "vest"]),
            ("shorts", FASHIONPEDIA, ["pants", "shorts"]),
            ("jacket", FASHIONPEDIA, ["cardigan", "jacket", "coat", "cape"]),
            ("dress", HUMAN, ["dress", "jumpsuit"]),
            ("blouse", HUMAN, ["shirt, blouse", "top, t-shirt, sweatshirt", "sweater", "vest", "Upper-clothes"]),
            ("bag, wallet", HUMAN, ["bag, wallet"]),
        ],
    )
    def test_usual_names_mean_classes(self, word, labels, names):
        assert [labels[i] for i in meant(word, labels)[0]] == names

    @pytest.mark.parametrize("word", ["trombone", "", "Background", "everything else"])
    def test_another_word_names_the_choices(self, word):
        with pytest.raises(PromptError, match="choose from upper, dress, skirt, pants, scarf"):
            meant(word, ATR)


class TestGarments:
    @pytest.mark.parametrize(("wanted", "name"), [("upper", "Upper-clothes"), ("trousers", "Pants")])
    def test_the_wanted_garment_is_cut_out_with_hands_and_hair_removed(self, wanted, name):
        rgb, classes = person("tee", 20)
        got = clothes_mask(seen_as(classes), [wanted], rgb)
        assert got.names == (name,)
        assert iou(got.soft, classes == ATR.index(name)) > 0.96
        body = np.isin(classes, [ATR.index(n) for n in ("Hair", "Face", "Left-arm", "Right-arm")])
        assert (got.soft[body] >= 0.5).mean() < 0.01
        assert got.confidence > 0.9

    def test_the_largest_is_one_garment_and_a_list_takes_several(self):
        rgb, classes = person("tee", 20)
        areas = {n: (classes == ATR.index(n)).sum() for n in ("Upper-clothes", "Pants")}
        assert clothes_mask(seen_as(classes), "largest", rgb).names == (max(areas, key=areas.get),)
        both = clothes_mask(seen_as(classes), ["upper", "pants"], rgb)
        assert both.names == ("Upper-clothes", "Pants")
        assert iou(both.soft, np.isin(classes, [ATR.index(n) for n in both.names])) > 0.96

    def test_what_is_found_comes_with_shares_and_the_box_lies_round_the_mask(self):
        rgb, classes = person("skirt", 3)
        got = clothes_mask(seen_as(classes), "skirt", rgb)
        shares = {name: (classes == ATR.index(name)).mean() for name in ATR[1:]}
        assert [f.share for f in got.found] == sorted((f.share for f in got.found), reverse=True)
        assert all(f.share == pytest.approx(shares[f.name], abs=0.004) for f in got.found)
        rows, cols = np.nonzero(got.soft >= 0.5)
        assert got.box == (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1)

    def test_a_garment_that_is_not_there_is_said_with_what_is(self):
        rgb, classes = person("tee", 20)
        with pytest.raises(
            UnclearGarment, match=r"no dress .*Pants \d+\.\d%.*: choose (pants or upper|upper or pants)"
        ):
            clothes_mask(seen_as(classes), ["dress"], rgb)
        with pytest.raises(UnclearGarment, match=r"no garment .* nothing but background"):
            clothes_mask(seen_as(np.zeros(HW, int)), "largest", np.zeros((*HW, 3), np.uint8))

    def test_the_edge_is_soft_and_follows_the_photo_closer_than_the_network(self):
        soft = mask_of(GARMENTS["longsleeve_a_pose"], 700, (900, 720), (3.3, 1.7))
        rgb = (soft[..., None] * np.array([30, 80, 140]) + (1 - soft[..., None]) * 240).round().astype(np.uint8)
        off_px = 4  # half a cell of the network's picture
        parsed = seen_as(np.roll(np.where(soft >= 0.5, ATR.index("Upper-clothes"), 0), off_px, 1))
        coarse = label_map(parsed, soft.shape) > 0
        got = clothes_mask(parsed, "largest", rgb).soft
        assert got.dtype == np.float32 and ((got > 0.1) & (got < 0.9)).any()
        assert np.abs(got - soft).mean() < 0.5 * np.abs(coarse - soft).mean()

    def test_another_photo_is_refused(self):
        rgb, classes = person("tee", 20)
        with pytest.raises(MaskError, match="512×511 px and the parsed one 512×512"):
            clothes_mask(seen_as(classes), "largest", rgb[:-1])

    def test_nothing_given_is_changed(self):
        rgb, classes = person("tee", 20)
        parsed, before = seen_as(classes), rgb.copy()
        logits = parsed.logits.clone()
        clothes_mask(parsed, "largest", rgb)
        assert (rgb == before).all() and torch.equal(parsed.logits, logits)


class TestPieces:
    tee = ("top, t-shirt, sweatshirt", mask_of(GARMENTS["tee"], 300, HW), (40, 90, 160))
    atr_tee = ("Upper-clothes", *tee[1:])

    @pytest.mark.parametrize("arm", ["Left-arm", "Bag", "Hair"])
    def test_an_arm_across_leaves_both_pieces_and_is_not_filled(self, arm):
        across = band(0, 240, 384, 275)
        rgb, classes = worn(self.atr_tee, (arm, across, (200, 150, 120)), labels=ATR)
        got = clothes_mask(seen_as(classes), "upper", rgb)
        assert got.pieces == 2
        assert iou(got.soft, classes == ATR.index("Upper-clothes")) > 0.96
        assert (got.soft[245:270] < 0.5).all()

    def test_an_arm_that_the_labels_do_not_know_does_the_same(self):
        rgb, classes = worn(self.tee, ("Everything Else", band(0, 240, 384, 275), (200, 150, 120)))
        assert clothes_mask(seen_as(classes, FASHIONPEDIA), "upper", rgb).pieces == 2

    def test_flecks_and_pinholes_go_but_a_bag_stays_a_hole(self):
        flecks = np.maximum(disc(6, (30, 480), HW), disc(5, (350, 40), HW))
        pinhole, bag = disc(4, (160, 300), HW), disc(28, (200, 320), HW)
        rgb, classes = worn(
            self.atr_tee,
            ("Upper-clothes", flecks, (235, 235, 235)),
            ("Background", pinhole, (40, 90, 160)),
            ("Bag", bag, (20, 20, 20)),
            labels=ATR,
        )
        soft = clothes_mask(seen_as(classes), "largest", rgb).soft
        assert soft[flecks > 0.5].max() < 0.5 and soft[pinhole > 0.5].min() > 0.5
        assert (soft[disc(24, (200, 320), HW) > 0.5] < 0.5).all()

    def test_another_persons_tee_far_away_is_left_out(self):
        left, right = (mask_of(GARMENTS["tee"], h, HW, (shift, 0)) for h, shift in ((150, -100), (130, 100)))
        rgb, classes = worn(("Upper-clothes", left, (40, 90, 160)), ("Upper-clothes", right, (160, 40, 40)), labels=ATR)
        got = clothes_mask(seen_as(classes), "largest", rgb)
        assert got.pieces == 1 and iou(got.soft, left >= 0.5) > 0.95

    def test_parts_join_the_garment_beside_them(self):
        blue, grey = (40, 90, 160), (70, 70, 75)
        tee, trousers = mask_of(GARMENTS["tee"], 190, HW, (0, -120)), mask_of(GARMENTS["trousers"], 240, HW, (0, 110))
        sleeves = tee * np.maximum(band(0, 0, 138, 512), band(246, 0, 384, 512))
        rgb, classes = worn(
            ("pants", trousers, grey),
            ("pocket", trousers * band(150, 270, 180, 300), grey),
            ("belt", trousers * band(0, 240, 384, 255), (60, 30, 10)),
            ("top, t-shirt, sweatshirt", tee, blue),
            ("sleeve", sleeves, blue),
            ("neckline", tee * band(150, 40, 230, 52), blue),
            ("pocket", tee * band(200, 110, 230, 140), blue),
        )
        parsed = seen_as(classes, FASHIONPEDIA)
        upper, pants = (clothes_mask(parsed, [word], rgb) for word in ("shirt", "pants"))
        assert set(upper.names) == {"top, t-shirt, sweatshirt", "sleeve", "neckline", "pocket"}
        assert set(pants.names) == {"pants", "pocket", "belt"}
        assert iou(upper.soft, tee >= 0.5) > 0.96
        assert iou(pants.soft, (trousers >= 0.5) & (tee < 0.5)) > 0.96

    def test_a_jacket_over_a_tee_is_its_own_garment_with_its_sleeves(self):
        jacket = mask_of(GARMENTS["longsleeve_hanging"], 400, HW)
        tee = band(165, 70, 219, 456) * jacket
        sleeves = jacket * np.maximum(band(0, 0, 95, 512), band(289, 0, 384, 512))
        rgb, classes = worn(
            ("jacket", jacket, (50, 60, 50)),
            ("sleeve", sleeves, (50, 60, 50)),
            ("top, t-shirt, sweatshirt", tee, (220, 120, 40)),
        )
        parsed = seen_as(classes, FASHIONPEDIA)
        coat, upper = (clothes_mask(parsed, word, rgb) for word in ("coat", "upper"))
        assert coat.names == ("jacket", "sleeve") and upper.names == ("top, t-shirt, sweatshirt",)
        assert iou(coat.soft, (jacket >= 0.5) & (tee < 0.5)) > 0.95 and iou(upper.soft, tee >= 0.5) > 0.95
        assert coat.pieces == 2  # the panels left and right of the tee
        assert clothes_mask(parsed, "largest", rgb).names == coat.names

    def test_who_asks_for_upper_gets_the_closed_jacket(self):
        rgb, classes = worn(("jacket", self.tee[1], (50, 60, 50)))
        assert clothes_mask(seen_as(classes, FASHIONPEDIA), "upper", rgb).names == ("jacket",)


class TestNetwork:
    def test_the_file_has_the_official_keys_and_loads_strictly(self, folder, parser):
        from safetensors.torch import load_file

        assert {k: tuple(v.shape) for k, v in load_file(folder / "model.safetensors").items()} == shapes(len(ATR))
        assert parser.labels == ATR
        assert not parser.model.training and not any(p.requires_grad for p in parser.model.parameters())

    def test_the_picture_is_prepared_as_the_model_was_trained(self, parser):
        rgb = np.random.default_rng(0).integers(0, 256, (301, 190, 3), np.uint8)
        small = np.asarray(Image.fromarray(rgb).resize((512, 512), Image.Resampling.BILINEAR), np.float64)
        wanted = (small / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        got = parser.processor(Image.fromarray(rgb), return_tensors="pt")["pixel_values"]
        assert np.abs(got[0].permute(1, 2, 0).numpy() - wanted).max() < 1e-5

    def test_logits_are_transformers_own(self, folder, parser):
        from transformers import SegformerForSemanticSegmentation

        rgb, _ = person("tee", 4)
        own = SegformerForSemanticSegmentation.from_pretrained(folder, local_files_only=True).eval()
        with torch.no_grad():
            wanted = own(**parser.processor(Image.fromarray(rgb), return_tensors="pt")).logits[0]
        parsed = parse(parser, rgb)
        assert parsed.logits.shape == (18, 128, 128) and parsed.hw == (512, 512)
        assert (parsed.logits - wanted).abs().max() < 1e-5

    def test_classes_at_full_size_are_transformers_own(self, parser):
        logits = torch.randn(18, 128, 128, generator=torch.Generator().manual_seed(1))
        parsed = Parsed(logits, ATR, (333, 250))
        wanted = parser.processor.post_process_semantic_segmentation(SimpleNamespace(logits=logits[None]), [parsed.hw])
        assert (label_map(parsed, parsed.hw) == wanted[0].numpy()).all()

    def test_the_reduced_parser_cuts_a_drawn_person_out(self, parser):
        rgb, classes = person("dress", 2)
        got = clothes_mask(parse(parser, rgb), "largest", rgb)
        assert iou(got.soft, classes == ATR.index("Dress")) > 0.7

    def test_a_pickle_and_another_label_set_load_too(self, tmp_path):
        write_clothes(tmp_path / "bin", pickled=True)
        assert load_parser(tmp_path / "bin" / "pytorch_model.bin").labels == ATR
        write_clothes(tmp_path / "fashion", FASHIONPEDIA)
        assert load_parser(tmp_path / "fashion").labels == FASHIONPEDIA

    def test_reading_draws_no_bar_of_its_own_and_leaves_others_theirs(self, folder, capfd):
        from transformers.utils import logging

        load_parser(folder)
        assert capfd.readouterr().err == "" and logging.is_progress_bar_enabled()

    def test_without_its_preprocessor_config_the_usual_preparation_is_taken(self, folder, tmp_path):
        for name in ("config.json", "model.safetensors"):
            (tmp_path / name).write_bytes((folder / name).read_bytes())
        rgb, _ = person("tee", 4)
        assert torch.equal(parse(load_parser(tmp_path), rgb).logits, parse(load_parser(folder), rgb).logits)


class Harm:
    def __reduce__(self):
        return (os.mkdir, (os.environ["GARMENT3D_HARM"],))


class TestBadFolders:
    @pytest.fixture
    def copy(self, folder, tmp_path):
        for path in folder.iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        return tmp_path

    def test_missing_files(self, copy):
        with pytest.raises(MissingWeights, match=r"has no config\.json"):
            load_parser(copy / "nowhere")
        (copy / "model.safetensors").unlink()
        with pytest.raises(MissingWeights, match=r"has no model.safetensors or pytorch_model.bin"):
            load_parser(copy)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("<html>", "can't be read as JSON"),
            ("[1]", "model type None where segformer"),
            ('{"model_type": "clip"}', "model type 'clip' where segformer"),
            (json.dumps(config([f"thing {i}" for i in range(18)])), "labels no clothes .18 classes: thing 0"),
            ('{"model_type": "segformer", "id2label": [], "depths": "two"}', "can't be used"),
            (json.dumps({**config(ATR), "depths": [1, 1]}), "can't be used .list index"),
            (json.dumps({**config(ATR), "hidden_act": "nope"}), "can't be used .'nope'"),
            (
                json.dumps({**config(ATR), "id2label": {"0": "Background", "5": "Dress"}}),
                "labels no clothes .2 classes: Background, class 1",
            ),
        ],
    )
    def test_another_config(self, copy, text, message):
        (copy / "config.json").write_text(text)
        with pytest.raises(WeightsError, match=message):
            load_parser(copy)

    def test_a_page_or_half_a_file_as_weights(self, copy):
        whole = (copy / "model.safetensors").read_bytes()
        for held in (b"<!doctype html><title>Sign in</title>", whole[: len(whole) // 2], b""):
            (copy / "model.safetensors").write_bytes(held)
            with pytest.raises(WeightsError, match=r"model\.safetensors"):
                load_parser(copy)

    def test_wrong_tensors_are_counted_and_named(self, copy):
        from safetensors.torch import load_file, save_file

        tensors = load_file(copy / "model.safetensors")
        changed = dict(tensors, extra=torch.zeros(2), **{"decode_head.classifier.weight": torch.zeros(17, 96, 1, 1)})
        del changed["segformer.encoder.layer_norm.0.bias"]
        save_file(changed, copy / "model.safetensors", {"format": "pt"})
        with pytest.raises(WeightsError, match=r"1 tensors missing .*1 tensors unknown \(extra.*1 tensors misshaped"):
            load_parser(copy)
        save_file({"image_encoder.x": torch.zeros(2)}, copy / "model.safetensors", {"format": "pt"})
        with pytest.raises(WeightsError, match="clothes parser was expected"):
            load_parser(copy)

    def test_a_pickle_that_would_run_code_does_not(self, copy, monkeypatch):
        monkeypatch.setenv("GARMENT3D_HARM", str(copy / "harm"))
        (copy / "model.safetensors").unlink()
        (copy / "pytorch_model.bin").write_bytes(pickle.dumps(Harm(), protocol=2))
        with pytest.raises(WeightsError):
            load_parser(copy)
        assert not (copy / "harm").exists()

    @pytest.mark.parametrize("text", ["{", '{"image_mean": [0.5]}', '{"size": "abc"}'])
    def test_a_broken_preprocessor_config(self, copy, text):
        (copy / "preprocessor_config.json").write_text(text)
        with pytest.raises(WeightsError, match=r"preprocessor_config.json can't be used"):
            load_parser(copy)


def test_worn_garments_of_real_photos_through_an_oracle():
    if "GARMENT3D_PHOTOS" not in os.environ:
        pytest.skip("needs GARMENT3D_PHOTOS, a folder of photos of people with .labels.png beside them")
    names = {(128, 0, 0): "Upper-clothes", (0, 128, 0): "Pants", (128, 128, 0): "Dress"}
    poor = {}
    for path in sorted(Path(os.environ["GARMENT3D_PHOTOS"]).glob("*.labels.png")):
        rgb = np.asarray(Image.open(path.with_name(path.name.replace(".labels.png", ".jpg"))).convert("RGB"))
        coloured = np.asarray(Image.open(path).convert("RGB"))
        classes = sum(ATR.index(n) * (coloured == c).all(-1) for c, n in names.items())
        for name in names.values():
            binary = classes == ATR.index(name)
            if binary.mean() > 0.01:
                parsed = Parsed(as_logits(classes, len(ATR)), ATR, classes.shape)
                poor[path.stem, name] = iou(label_map(parsed, classes.shape) == ATR.index(name), binary) - 0.97
                # The labels are good to some pixels; the mask's edge is the photo's.
                poor[path.stem, name, "edge"] = iou(clothes_mask(parsed, [name], rgb).soft, binary) - 0.96
    assert poor and {key: round(float(score), 3) for key, score in poor.items() if score < 0} == {}
