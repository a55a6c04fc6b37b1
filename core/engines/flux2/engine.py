"""FLUX.2 [klein] draws the sitter anew: from one to four photos, an instruction, and a LoRA where it is proven.

    photos -> references;  setup -> instruction -> picture -> the face again, larger, where it is small
    -> mapped and cut out as a photo is -> layers

Pose, garment and light are the net's; the backdrop is the recipe's own, exact, for only the figure is kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import cv2
import numpy as np
import torch

from core.engines import lora as training
from core.engines.base import FaceNets
from core.engines.checkpoints import Checkpoint
from core.engines.facts import EngineFacts, Plan
from core.engines.flux2.instruction import face_instruction, garment_instruction, instruction_of
from core.engines.flux2.klein import STEPS, Klein, free_memory
from core.engines.flux2.lora import RECIPE, Flux2Task
from core.engines.flux2.references import MOST_PIXELS, fitted, reference_of, select_references
from core.engines.redrawn import in_place, layers_of, map_drawn, unlit, without_face
from core.engines.teaching import teaching_photos
from core.errors import EngineMissing, Refused
from core.face.embedding import cosine
from core.face.landmarks import fill
from core.face.mesh import FACE_OVAL
from core.scene.compose import compose
from core.scene.stage import Setup, look_of
from core.scene.style import OWN, Outfit
from core.types import F32, U8, Cutout, FaceMap, Identity, Layers, Portrait, Recipe

SMALL_FACE_PX: Final = 350
"""Width of a drawn face below which it is drawn again, larger: a rule of thumb, not measured here."""
FACE_PASS: Final = (768, 768)
"""Size the head's crop is drawn at."""
FACE_STRENGTH: Final = 0.5
"""How far back to noise the face pass goes: half keeps the pose, the references bring the features."""
HEAD_ROOM: Final = 2.2
"""Side of the head's crop, in face heights."""
HEAD_REFERENCE: Final = 512
"""Side of the squares that the face pass is shown; the pipeline needs them all of one size."""
T = TypeVar("T")
log = logging.getLogger(__name__)


def open_engine(
    facts: EngineFacts, checkpoints: Mapping[str, Checkpoint], plan: Plan, device: str, nets: FaceNets
) -> Flux2Engine:
    """Open the engine; its nets are loaded when first needed. Raises EngineMissing where there is no card."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        step = "check the driver with nvidia-smi" if torch.version.cuda else "install torch's CUDA build"
        raise EngineMissing(facts.name, f"torch {torch.__version__} sees no CUDA card", step)
    return Flux2Engine(facts, checkpoints, plan, device, nets)


class Flux2Engine:
    """See `core.engines.base.Engine`. Deterministic per device, plan and torch build.

    checkpoints: by use, "draws" the distilled net and "learns" Base.
    """

    draws_words: Final = True
    honesty: Final = (
        "Made by an AI system that was shown the sitter's photographs: head, garment and neck are drawn anew, and "
        "measured against other photographs of them. Each file says so in its metadata."
    )

    def __init__(
        self, facts: EngineFacts, checkpoints: Mapping[str, Checkpoint], plan: Plan, device: str, nets: FaceNets
    ) -> None:
        self.name, self._facts, self._nets = facts.name, facts, nets
        self._checkpoints = checkpoints
        self.version = f"{checkpoints['draws'].folder.name[:12]}-{checkpoints['draws'].fingerprint()}"
        self._klein = Klein(checkpoints["draws"], plan, device)

    @property
    def plan(self) -> Plan:
        """The plan that is run; a smaller one after the card's memory did not suffice."""
        return self._klein.plan

    def train(
        self, who: Identity, folder: Path, on_progress: training.OnProgress, should_stop: Callable[[], bool]
    ) -> Identity:
        """See `Engine.train`: a LoRA on Base, kept where generations with it look more like the held-out photo."""
        here = folder / self.name
        base = self._checkpoints["learns"]
        key = training.training_key(who.maps, f"{self.name}-{base.fingerprint()}-{self.version}", RECIPE)

        def attempt(klein: Klein) -> training.TrainingResult:
            photos, proof = teaching_photos(who.maps, klein.plan.learns)
            if not photos:
                return training.TrainingResult(False, "nothing_to_learn_from")
            task = Flux2Task(
                klein, base, who.maps, self._nets.parser,
                lambda seed, lora: self._generated_likeness(klein, photos, proof, seed, lora, should_stop),
            )  # fmt: skip
            try:
                return training.fit(task, here, key, on_progress, should_stop)
            finally:
                task.close()

        result = training.cached(here, key, lambda: self._within_memory(attempt))
        return training.with_lora(who, result, here)

    def prepare(self, cutout: Cutout, face: FaceMap, who: Identity) -> Cutout:
        """See `Engine.prepare`: nothing to do, for the photo's own pixels are not used."""
        return cutout

    def portrait(
        self, setup: Setup, style: str, purpose: str, who: Identity, name: str, should_stop: Callable[[], bool]
    ) -> Portrait:
        """See `Engine.portrait`. The recipe names the photos that were shown; likeness leaves them out."""
        held_out = {str(who.proof["held_out"])} if who.proof.get("held_out") else set()
        settings = {**setup.settings, "drawn_anew": True}
        if settings["grey_for"] == "light":  # the photo's light is not drawn
            settings |= {"black_and_white": False, "grey_for": ""}

        def drawing(klein: Klein) -> tuple[U8, list[str]]:
            shown = select_references(setup.face, who.maps, held_out, klein.plan.references)
            text = instruction_of(settings, setup.face, len(shown), who.lora is not None)
            pictures = [reference_of(face) for face in shown]
            drawn = klein.draw(text, pictures, klein.plan.draws, setup.seed, who.lora, should_stop)
            if not settings.get("finish"):
                drawn = self._face_again(klein, drawn, setup, shown, who.lora, should_stop)
            return drawn, [face.selfie.sha256 for face in shown]

        drawn, settings["references"] = self._within_memory(drawing)
        face = map_drawn(drawn, self._nets)
        layers, too_bare = (without_face(drawn), False) if face is None else layers_of(face, self._nets.parser)
        if finish := settings.get("finish"):  # its look was in the instruction; backdrop and all stay as drawn
            settings |= {"finish": None, "drawn_look": finish["look"]}
            layers = without_face(drawn, None if face is None else face.selfie.face.landmarks)
        if too_bare:
            layers, settings["withheld"] = without_face(np.zeros_like(drawn)), "unclothed"
        height, width = layers.head.shape
        recipe = Recipe(
            style, purpose, setup.face.selfie.sha256, setup.seed, f"{self.name}-{self.version}", width, height, settings
        )
        if face is not None and not too_bare:
            layers = unlit(layers, layers.garment[..., :3].copy(), recipe)
        return Portrait(name, compose(layers, look_of(recipe.settings, recipe.seed)), layers, recipe)

    def change_garment(self, layers: Layers, outfit: Outfit, recipe: Recipe, should_stop: Callable[[], bool]) -> Layers:
        """See `Engine.change_garment`: drawn in place of the garment alone; head, neck and backdrop stay as they are.

        Refused: own clothes, for the portrait's body is none of the photo's; a picture in which no face is found any
        more, or that shows too much skin.
        """
        if outfit.kind == OWN:
            raise Refused("edit_no_own_clothes", f"outfit: 0 pixels of a portrait by {self.name} are the photo's")
        picture = compose(layers, look_of(recipe.settings, recipe.seed))
        small = fitted(picture, MOST_PIXELS)
        size = (small.shape[1], small.shape[0])
        garment = cv2.resize(layers.garment[..., 3], size, interpolation=cv2.INTER_AREA)
        head = cv2.resize(layers.head, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        reach = np.ones((2 * (size[0] // 60) + 1,) * 2, np.uint8)
        mask = (cv2.dilate(garment, reach) > 0) * (1 - head)
        text = garment_instruction(outfit)
        drawn = self._within_memory(
            lambda klein: klein.inpaint(text, small, mask, (), 1.0, STEPS, recipe.seed, None, should_stop)
        )
        large = cv2.resize(drawn, picture.shape[1::-1], interpolation=cv2.INTER_LANCZOS4)
        face = map_drawn(large, self._nets)
        if face is None:
            raise Refused("outfit_failed", f"outfit: 0 faces are found in what {self.name} drew")
        worn, too_bare = layers_of(in_place(face, large), self._nets.parser, picture.shape[1::-1])
        if too_bare:
            raise Refused("outfit_failed", f"outfit: 0 of what {self.name} drew can be shown, it has too much skin")
        new = replace(layers, garment=worn.garment)
        return replace(new, garment=unlit(new, large, recipe).garment)

    def _face_again(
        self,
        klein: Klein,
        drawn: U8,
        setup: Setup,
        shown: tuple[FaceMap, ...],
        lora: str | None,
        should_stop: Callable[[], bool],
    ) -> U8:
        """Draw a small face again in a crop of its head; a large one, or none, is left as it is."""
        traced = self._nets.landmarker.detect(drawn)
        if traced is None:
            return drawn
        oval = traced.landmarks[list(FACE_OVAL), :2]
        if float(np.ptp(oval[:, 0])) >= SMALL_FACE_PX:
            return drawn
        left, top, side = square_around(oval, HEAD_ROOM * float(np.ptp(oval[:, 1])), drawn.shape)
        crop = cv2.resize(drawn[top : top + side, left : left + side], FACE_PASS, interpolation=cv2.INTER_CUBIC)
        points = (traced.landmarks[:, :2] - np.array([left, top], np.float32)) * np.float32(FACE_PASS[0] / side)
        inside = fill(FACE_PASS[::-1], points, FACE_OVAL, 1.15).astype(np.float32)
        mask = np.clip(cv2.GaussianBlur(inside, (0, 0), FACE_PASS[0] / 64), 0, 1)
        heads = [head_reference(face) for face in shown]
        text = face_instruction(setup.face, lora is not None)
        again = klein.inpaint(text, crop, mask, heads, FACE_STRENGTH, STEPS, setup.seed, lora, should_stop)
        back = cv2.resize(again, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
        soft = cv2.resize(mask, (side, side), interpolation=cv2.INTER_AREA)[..., None]
        out = drawn.copy()
        part = out[top : top + side, left : left + side].astype(np.float32)
        out[top : top + side, left : left + side] = np.round(part + (back - part) * soft).astype(np.uint8)
        return out

    def _generated_likeness(
        self,
        klein: Klein,
        photos: list[FaceMap],
        proof: FaceMap | None,
        seed: int,
        lora: str | None,
        should_stop: Callable[[], bool],
    ) -> float:
        """Draw the sitter plainly from photos that may be learnt from; returns the cosine to the held-out one."""
        assert proof is not None
        source = max(photos, key=lambda face: -abs(face.selfie.face.yaw_deg))
        shown = select_references(source, [*photos, proof], {proof.selfie.sha256}, klein.plan.references)
        plain = {"outfit": "grey_crew", "backdrop": "grey_paper", "light": "soft_key"}
        text = instruction_of(plain, source, len(shown), lora is not None)
        drawn = klein.draw(text, [reference_of(f) for f in shown], klein.plan.learns, seed, lora, should_stop)
        embedding = self._nets.recogniser.embed_only(drawn)
        return 0.0 if embedding is None else cosine(embedding, proof.selfie.face.embedding)

    def _within_memory(self, work: Callable[[Klein], T]) -> T:
        """Do work; where the card's memory does not suffice, with the next smaller plan, from then on."""
        while True:
            try:
                return work(self._klein)
            except torch.OutOfMemoryError as full:
                said, before = str(full).partition(".")[0], self._klein
            smaller = self._facts.smaller_than(before.plan)
            if smaller is None:
                step = "close what else uses the card, or draw with --engine embedded"
                raise EngineMissing(self.name, f"the card's memory ends under plan {before.plan.name}: {said}", step)
            log.warning("plan %s does not fit the card (%s); going on with %s", before.plan.name, said, smaller.name)
            before.release()
            self._klein = Klein(before.checkpoint, smaller, str(before.device))
            del before
            free_memory()


def square_around(oval: F32, side: float, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return left, top and side of a square round a face's oval (N, 2) that lies within a picture of a shape."""
    length = int(min(side, *shape[:2]))
    middle = (oval.min(axis=0) + oval.max(axis=0)) / 2
    left, top = np.clip(middle - length / 2, 0, [shape[1] - length, shape[0] - length]).astype(int)
    return int(left), int(top), length


def head_reference(face: FaceMap) -> U8:
    """Cut a photo's head out as a square of HEAD_REFERENCE pixels."""
    oval = face.selfie.face.landmarks[list(FACE_OVAL), :2]
    left, top, side = square_around(oval, HEAD_ROOM * float(np.ptp(oval[:, 1])), face.selfie.rgb.shape)
    crop = face.selfie.rgb[top : top + side, left : left + side]
    return np.asarray(cv2.resize(crop, (HEAD_REFERENCE,) * 2, interpolation=cv2.INTER_AREA), np.uint8)
