"""The command line: check, shoot, enhance, styles, tweaks, weights, doctor; `bots` has chat, run, forget and reports.

Exit code 0 done, 2 the input was refused (the message says why and what to do), 1 a fault. With --json stdout holds
one JSON value and nothing else, for a failure `{"error": {"reason": WORD, "message": SENTENCE}}`; progress and
messages go to stderr.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TextIO

from core import desk
from core.atomic import to_json
from core.catalogue import locale_language
from core.engines.facts import engines
from core.errors import AtelierError, Refused, StyleWrong
from core.progress import Bars
from core.settings import threads

if TYPE_CHECKING:
    from core.types import FaceMap, Rejected

HANDED_ON: Final = ("chat", "run", "forget", "reports")
"""Commands of the front of house, imported only when asked for: the studio works without a bot installed."""
SEEDS: Final = 2**31
"""A seed is below this, as in `jobs.kinds.shoot`; 10007 times it fits the 64 bits of every generator."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    # torch and ncnn each bring an OpenMP, whose waiting threads would spin in the other's way; read when torch loads.
    # A portrait on two cores that others use too, four times each way: 33 s and 24 s of processor time, else 41 and 35.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # numpy's and scipy's BLAS would share out matrices of a few numbers, and spin: a face's normals took 70 ms, not 6
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if argv and argv[0] in HANDED_ON:
        front = importlib.import_module("bots.cli")
        return int(getattr(front, argv[0])(argv[1:]) or 0)
    _encode_anything(sys.stdout)
    as_json = "--json" in argv
    try:
        options = _parser().parse_args(argv)
        code = int(options.command(options))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever reads has enough, as `head` has; the rest goes nowhere, or exit would complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Refused, StyleWrong) as refused:
        return _failed(as_json, refused.reason, str(refused), 2)
    except AtelierError as fault:
        return _failed(as_json, fault.reason, str(fault), 1)
    except KeyboardInterrupt:
        return _failed(as_json, "stopped", "stopped; run the same command again to go on", 1)
    except OSError as wrong:
        return _failed(as_json, "files", f"{wrong.filename or 'a file'}: {wrong.strerror or wrong}", 1)
    except Exception as fault:
        traceback.print_exc()
        return _failed(as_json, "fault", f"{type(fault).__name__}: {fault}; please report it", 1)


def _failed(as_json: bool, reason: str, message: str, code: int) -> int:
    if as_json:
        _print_json({"error": {"reason": reason, "message": message}})
    print(f"atelier: {message}", file=sys.stderr)
    return code


def _print_json(value: Any) -> None:
    print(to_json(value, ascii_only=True))


def _encode_anything(stream: TextIO) -> None:
    """Let a stream print a file name that its encoding does not have, with the bytes escaped."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


class _ArgumentParser(argparse.ArgumentParser):
    """Raises Refused for wrong usage, so that it is told in JSON where that was asked for."""

    def error(self, message: str) -> NoReturn:
        raise Refused("usage", f"{message}; see: {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _ArgumentParser(prog="atelier", description="An AI headshot studio on your own machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="say of each photo whether it is kept, and what the set still lacks")
    check.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    check.add_argument("--draw", type=Path, metavar="DIR", help="draw the face map over each kept photo into DIR")
    check.add_argument("--json", action="store_true")
    check.set_defaults(command=_check)

    shoot = commands.add_parser("shoot", help="photos in, portraits of that person out")
    shoot.add_argument("photos", nargs="+", type=Path, metavar="PHOTO")
    shoot.add_argument("--style", action="append", required=True, dest="styles", metavar="STYLE")
    shoot.add_argument("--purpose", choices=("job", "business", "personal"), default="business")
    shoot.add_argument("--count", type=_count, default=4, help="portraits per style, 1 to 16 (default 4)")
    shoot.add_argument("--seed", type=_seed, default=0, help="same photos, same seed, same portraits")
    names = tuple(engines())
    shoot.add_argument("--engine", choices=("auto", *names), help="what draws (default: ATELIER_ENGINE, else auto)")
    shoot.add_argument("--no-train", action="store_true", help="do not learn the person first")
    shoot.add_argument("--out", type=Path, required=True, metavar="DIR")
    worn = shoot.add_mutually_exclusive_group()
    worn.add_argument(
        "--own-clothes",
        action="store_const",
        const="own",
        dest="outfit",
        help="as photographed, in your own clothes: the most believable where a photo shows both shoulders",
    )
    worn.add_argument("--outfit", metavar="NAME", help="another outfit from the wardrobe (see: atelier styles)")
    for role in ("backdrop", "light"):
        shoot.add_argument(f"--{role}", metavar="NAME", help=f"another {role} from the wardrobe (see: atelier styles)")
    shoot.add_argument("--colour", metavar="NAME", help="another colour of jacket or top: navy, forest, cream ...")
    shoot.add_argument("--angle", choices=("any", "front", "left", "right"))
    shoot.add_argument("--words", metavar="TEXT", help="own words (ATELIER_FREE_PROMPTS=1, engines that draw anew)")
    shoot.add_argument("--json", action="store_true")
    shoot.set_defaults(command=_shoot)

    enhance = commands.add_parser("enhance", help="edit a portrait; undo takes the last edit away")
    enhance.add_argument("portrait", type=Path, metavar="PORTRAIT")
    enhance.add_argument("--tweak", action="append", default=[], dest="tweaks", metavar="NAME[=VALUE]")
    enhance.add_argument("--preset", metavar="NAME", help="several edits under one name (see: atelier tweaks)")
    enhance.add_argument("--recipe", type=Path, metavar="FILE", help="the edits of another portrait: its JSON")
    enhance.add_argument("--out", type=Path, required=True, metavar="FILE")
    enhance.add_argument("--json", action="store_true")
    enhance.set_defaults(command=desk.enhance)

    sticker = commands.add_parser("sticker", help="cut a portrait out as a sticker or an emoji")
    sticker.add_argument("portrait", type=Path, metavar="PORTRAIT")
    kinds = ("telegram_sticker", "discord_sticker", "discord_emoji")
    sticker.add_argument("--kind", choices=kinds, default="telegram_sticker")
    sticker.add_argument("--out", type=Path, required=True, metavar="FILE", help=".webp for Telegram, .png for Discord")
    sticker.set_defaults(command=desk.sticker)

    styles = commands.add_parser("styles", help="list styles, and what is in the wardrobe")
    styles.add_argument("--json", action="store_true")
    styles.set_defaults(command=_styles)

    tweaks = commands.add_parser("tweaks", help="list the edits there are, and the value each takes")
    tweaks.add_argument("--json", action="store_true")
    tweaks.set_defaults(command=desk.tweaks)

    weights = commands.add_parser("weights", help="fetch or verify the weight files")
    weights.add_argument("what", choices=("pull", "verify"))
    drawing = [name for name, facts in engines().items() if facts.weights]
    weights.add_argument("--engine", choices=drawing, help="the weights of an engine that draws on a card")
    weights.add_argument("--yes", action="store_true", help="fetch without asking; size and licence are told before")
    weights.set_defaults(command=_weights)

    doctor = commands.add_parser("doctor", help="say what this machine can do, and the next step for what is missing")
    doctor.add_argument("--engine", choices=names, help="hold an engine's plans against the card")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(command=_doctor)

    for name, about in {
        "chat": "the bot's own conversation in the terminal",
        "run": "run telegram, worker or all",
        "forget": "delete everything of one account",
        "reports": "what people wrote to the operator",
    }.items():
        commands.add_parser(name, help=about, add_help=False)
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 16:
        raise argparse.ArgumentTypeError(f"{text} is not within 1 to 16")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= SEEDS:
        raise argparse.ArgumentTypeError(f"{text} is not within 0 to {SEEDS - 1}")
    return int(text)


def _read(paths: Sequence[Path]) -> list[tuple[str, bytes]]:
    """Read photos by name. Raises Refused, naming the first file that cannot be read."""
    photos = []
    for path in paths:
        try:
            name = os.fsencode(path.name).decode("utf-8", "replace")  # a name on disk is bytes, seldom not UTF-8
            photos.append((name, path.read_bytes()))
        except OSError as wrong:
            raise Refused("unreadable", f"{path} cannot be read ({wrong.strerror}); check the path") from wrong
    return photos


def _check(options: argparse.Namespace) -> int:
    from core import studio
    from core.deliver.manifest import photo_facts
    from core.intake import review
    from core.models import Models

    models = Models()
    with Bars() as bars:
        report = review.check(_read(options.photos), models, lambda done, total: bars("check", done, total))
        maps = []
        for done, selfie in enumerate(report.kept, start=1):
            maps.append(studio.map_photo(selfie, models))
            bars("map", done, len(report.kept))
    if options.draw:
        _draw_maps(maps, options.draw)
    asks: dict[str, str] = {}
    notes: dict[str, str] = {}
    if maps:  # else mediapipe would be imported to say that all is missing
        from core.face.coverage import MISSING, NOTES, coverage

        shown = coverage(maps)
        asks, notes = {word: MISSING[word] for word in shown.missing}, {word: NOTES[word] for word in shown.notes}
    if options.json:
        photos = [{**photo_facts(face), "eye_px": round(face.selfie.face.eye_px, 1)} for face in maps]
        photos += [{"kept": False, **asdict(item)} for item in report.rejected]
        told = {"photos": photos, "baseline": report.baseline, "missing": list(asks), "notes": list(notes)}
        _print_json(told)
    else:
        _tell_check(maps, report.rejected, asks, notes)
    return 0 if report.kept else 2


def _tell_check(
    maps: Sequence[FaceMap], rejected: Sequence[Rejected], asks: dict[str, str], notes: dict[str, str]
) -> None:
    if maps:
        from core.face.coverage import PHOTO_NOTES, notes_of
        from core.face.features import words

        for face in maps:
            worn = words(face.features) if face.features else ""
            print(f"kept      {face.selfie.name}: {face.selfie.face.eye_px:.0f} px between the eyes; {worn}")
            for note in notes_of(face):
                print(f"note      {face.selfie.name}: {PHOTO_NOTES.get(note, note.replace('_', ' '))}")
    for item in rejected:
        print(f"refused   {item.name}: {item.reason}, {item.measured:g} (limit {item.limit:g}). {item.hint}")
    for ask in asks.values():
        print(f"missing   {ask}")
    for note in notes.values():
        print(f"note      {note}")


def _draw_maps(maps: Sequence[FaceMap], folder: Path) -> None:
    if maps:
        from core.atomic import write_bytes
        from core.deliver.files import encode_plain
        from core.face.coverage import draw_map
        from core.intake.names import told_apart

        drawn = [(f"{Path(face.selfie.name).stem}-map.jpg", encode_plain(draw_map(face))) for face in maps]
        for name, picture in told_apart(drawn):  # a.jpg and a.png are two photos
            write_bytes(folder / name, picture)


def _shoot(options: argparse.Namespace) -> int:
    from core import studio
    from core.models import Models

    sitting = studio.Sitting(
        styles=tuple(options.styles),
        purpose=options.purpose,
        count=options.count,
        seed=options.seed,
        train=not options.no_train,
        outfit=options.outfit,
        backdrop=options.backdrop,
        light=options.light,
        angle=options.angle,
        colour=options.colour,
        words=options.words,
    )
    threads()  # refuses a wrong OMP_NUM_THREADS before work begins
    photos = _read(options.photos)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as wrong:
        raise Refused("unwritable", f"--out {options.out} cannot be a folder ({wrong.strerror})") from wrong
    with Bars() as bars:
        manifest = studio.shoot(photos, sitting, options.out, Models(options.engine), bars, language=locale_language())
    if options.json:
        _print_json(manifest)
    else:
        _tell(manifest, options.out)
    return 0 if manifest["kept"] else 2


def _tell(manifest: dict[str, Any], out: Path) -> None:
    for photo in manifest["photos"]:
        if not photo["kept"]:
            print(f"refused   {photo['name']}: {photo['reason']}. {photo['hint']}")
    for portrait in manifest["portraits"]:
        percent = portrait["percent_of_baseline"]
        likeness = "no second photo to measure likeness" if percent is None else f"{percent:.0f} % of baseline"
        fate = "kept" if portrait["kept"] else f"dropped ({', '.join(portrait['reasons'])})"
        print(f"{fate:9} {portrait['file']}: {likeness}")
    print(f"drew {manifest['drawn']}, kept {manifest['kept']}: {out / manifest['gallery']}")


def _styles(options: argparse.Namespace) -> int:
    from core.scene.style import by_family, load_all, wardrobe
    from core.scene.wardrobe import garments, neck_range

    cloths = {each.name: {**each.facts.model_dump(), "fits_neck": neck_range(each)} for each in garments()}
    if options.json:
        looks = [style.model_dump() for style in load_all()]
        _print_json({"styles": looks, "wardrobe": wardrobe().model_dump(), "garments": cloths})
        return 0
    for family, styles in by_family(load_all()).items():
        print(f"{family}:")
        for style in styles:
            print(f"  {style.id:16} {style.title}: {style.pitch}")
    print()
    for role in ("outfits", "backdrops", "lights"):
        print(f"{role:14} {', '.join(getattr(wardrobe(), role))}")
    print(f"{'garments':14} {', '.join(cloths)}")
    return 0


def _weights(options: argparse.Namespace) -> int:
    from core import weights

    if options.engine:
        return _engine_weights(options)
    if options.what == "pull":
        with Bars() as bars:
            weights.pull(lambda name, step, total: bars(f"weights {name}", step, total))
    wrong = {name: why for name, why in weights.verify().items() if why}
    for name, why in wrong.items():
        print(f"{name} {why}; run `atelier weights pull`", file=sys.stderr)
    print(f"{len(wrong)} weight files are missing or wrong" if wrong else "all weight files are the pinned ones")
    return 1 if wrong else 0


def _engine_weights(options: argparse.Namespace) -> int:
    """Fetch an engine's weights once they are agreed to, or look whether they are whole."""
    from core.engines.checkpoints import find_all
    from core.engines.download import plan_download, pull

    facts = engines()[options.engine]
    if options.what == "verify":
        for use, found in find_all(facts).items():
            print(f"{use:8} {found.net or found.folder}")
        return 0
    planned = [(item, plan_download(facts.name, item)) for item in facts.weights]
    for item, download in planned:
        if download is None:
            print(f"{item.use:8} ATELIER_{item.setting} is a folder: nothing to fetch")
            continue
        size, left = download.total_bytes / 1e9, download.missing_bytes / 1e9
        print(f"{item.use:8} {download.model} at {download.revision[:12]}, licence {download.licence}")
        print(f"{'':8} {size:.1f} GB, {left:.1f} GB of it still to fetch")
    if any(d and d.missing_bytes for _, d in planned) and not options.yes:
        if not sys.stdin.isatty():
            raise Refused("not_agreed", "nothing was fetched; agree to size and licences with --yes")
        if input("Fetch it? [y/N] ").strip().lower() not in ("y", "yes"):
            return 0
    for item, download in planned:
        if download is not None:
            print(f"{item.use:8} {pull(facts.name, download)}")
    find_all(facts)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from core.doctor import report

    found = report(options.engine)
    if options.json:
        _print_json({"checks": [asdict(item) for item in found]})
        return 0
    for item in found:
        print(item.line())
    return 0


if __name__ == "__main__":
    sys.exit(main())
