"""What each command of dev.py takes, and what it says about itself. Standard library only, for Python 3.9."""

import argparse
import difflib
import sys
from typing import Callable, Dict, List, NamedTuple, NoReturn, Optional, Sequence

PROGRAM = "python3 dev.py"
BENCHMARKS = (
    "build",
    "estimate",
    "collect",
    "parquet",
    "reuse",
    "notebook",
    "poll",
    "whole_way",
    "small_files",
    "documents",
    "cold_start",
    "service",
)


class Command(NamedTuple):
    """A command: the module that runs it, its arguments in short, what it does, and how its options are declared."""

    module: str
    usage: str
    summary: str
    details: str = ""
    declare: Optional[Callable[[argparse.ArgumentParser], None]] = None


class Parser(argparse.ArgumentParser):
    """Like argparse's, but what is mistyped is answered with what may have been meant."""

    def error(self, message: str) -> NoReturn:
        """Say in two lines what is wrong and where help is, and exit with 2."""
        end = "" if message.endswith("?") else "."
        print(message[:1].upper() + message[1:] + end + self._meant(message), file=sys.stderr)
        print("More: {} --help".format(self.prog), file=sys.stderr)
        sys.exit(2)

    def _meant(self, message: str) -> str:
        if not message.startswith("unrecognized arguments"):
            return ""
        known = [option for action in self._actions for option in action.option_strings]
        unknown = [word.partition("=")[0] for word in message.split() if word.startswith("-")]
        return did_you_mean(unknown[0], known) if unknown else ""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return ` Did you mean X?` for the nearest of what is known, empty where nothing is near."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return " Did you mean {}?".format(near[0]) if near else ""


def overview() -> str:
    """Return what `python3 dev.py --help` shows: all commands, a line each."""
    lines = ["Usage: {} COMMAND [OPTION ...]".format(PROGRAM), ""]
    for name, command in COMMANDS.items():
        lines.append("  {:<22}{}".format(" ".join(filter(None, [name, command.usage])), command.summary))
    return "\n".join([*lines, "", "{} COMMAND --help tells about a command.".format(PROGRAM)])


def check_arguments(arguments: Sequence[str]) -> None:
    """Exit where a command is asked for help (0), or something is not understood (2); else return."""
    name = arguments[0]
    if name not in COMMANDS:
        print("There is no command '{}'.{}".format(name, did_you_mean(name, list(COMMANDS))), file=sys.stderr)
        print("\n" + overview(), file=sys.stderr)
        sys.exit(2)
    parse(name, arguments[1:])


def parse(name: str, arguments: Sequence[str]) -> argparse.Namespace:
    """Return a command's options; exits where help is asked for (0), or something is not understood (2)."""
    command = COMMANDS[name]
    parser = Parser(
        prog="{} {}".format(PROGRAM, name),
        description=command.summary[:1].upper() + command.summary[1:] + ".",
        epilog=command.details or None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if _goes_elsewhere(name, arguments):
        return argparse.Namespace(rest=list(arguments))
    if command.declare is not None:
        command.declare(parser)
    options = parser.parse_intermixed_args(arguments)
    _check_together(parser, options)
    return options


def _goes_elsewhere(name: str, arguments: Sequence[str]) -> bool:
    """Return whether the arguments are for another program to understand: pytest, or the soak."""
    return arguments[:1] == ["soak"] if name == "bench" else name == "test" and not {"-h", "--help"} & set(arguments)


def _check_together(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    given = {name for name, value in vars(options).items() if value not in (None, False)}
    for first, second in (
        ("answers", "model"),
        ("model", "answers"),
        ("answers_key", "answers"),
        ("key", "app"),
        ("app", "key"),
    ):
        if first in given and second not in given:
            parser.error("--{} needs --{} as well".format(first.replace("_", "-"), second))
    if {"answers", "account"} <= given:
        parser.error("--answers is for the emulated service on this machine; with --account, Azure answers")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("'{}' must be a whole number from 1".format(text))
    return int(text)


def _positives(text: str) -> List[int]:
    return sorted(_positive(part.strip()) for part in text.split(","))


def _benchmarks(text: str) -> List[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in BENCHMARKS:
            meant = did_you_mean(name, BENCHMARKS) or " There are {}".format(", ".join(BENCHMARKS))
            raise argparse.ArgumentTypeError("there is no benchmark '{}'.{}".format(name, meant))
    return names


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print machine-readable lines, a JSON object each")


def _out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="DIR", help="where results are put (default: .local/results)")


def _account(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--account", metavar="NAME", help="a storage account in Azure, signed in as the Azure CLI is (az login)"
    )


def _dropping(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=_positive, metavar="N", help="a trial run: send only the first N rows")
    _out(parser)
    parser.add_argument(
        "--answers", metavar="URL", help="let this OpenAI-compatible endpoint answer, as http://127.0.0.1:11434/v1"
    )
    parser.add_argument("--model", metavar="NAME", help="the model to name to that endpoint")
    parser.add_argument("--answers-key", metavar="KEY", help="the key of that endpoint, where it needs one")
    _json(parser)


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="FILE", help="prompt files, folders or patterns")
    _dropping(parser)


def _drop(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="prompt files, folders or patterns such as '*.csv'")
    _dropping(parser)
    _account(parser)


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="FILE", help="prompt files, folders or patterns")
    parser.add_argument("--limit", type=_positive, metavar="N", help="as a trial run of the first N rows")
    _json(parser)


def _jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=_positive, default=20, metavar="N", help="how many (default: 20)")
    parser.add_argument("--state", metavar="STATE", help="only jobs in this state, as running or failed")
    parser.add_argument("--prefix", metavar="TEXT", help="only jobs whose prompt file begins with this")
    _account(parser)
    _json(parser)


def _results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("jobs", nargs="+", metavar="JOB", help="job ids, or prompt files for their newest jobs")
    _out(parser)
    _account(parser)
    _json(parser)


def _steer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("jobs", nargs="+", metavar="JOB", help="job ids, or prompt files for their newest jobs")
    parser.add_argument("--app", metavar="URL", help="a function app in Azure, as https://NAME.azurewebsites.net")
    parser.add_argument("--key", metavar="KEY", help="a function key of that app")
    _json(parser)


def _bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only", type=_benchmarks, default=list(BENCHMARKS), metavar="NAME,…", help=", ".join(BENCHMARKS)
    )
    parser.add_argument(
        "--rows", type=_positives, default=[10_000, 100_000, 1_000_000], metavar="N,…", help="sizes: build, collect"
    )
    parser.add_argument("--files", type=_positive, default=1000, metavar="N", help="how many small files, or images")
    parser.add_argument("--runs", type=_positive, default=5, metavar="N", help="warm runs of each comparison")
    parser.add_argument("--json", metavar="FILE", help="file for the figures")


_JOB_DETAILS = "JOB is an id as `{} jobs` lists it, or a prompt file's name, for its newest job.".format(PROGRAM)
_LIMIT_DETAILS = """\
A file goes to prompts/FILE, or with the _job.json beside it (and all other _* files there) to prompts/FOLDER/FILE;
a folder goes to prompts/FOLDER/, with all prompt files, images and documents in it.
With --limit N it all goes to a folder of its own, FOLDER-trial-N/, whose _job.json has "limit": N besides: no file of
the container is changed. `{} retry JOB` sends the rest.""".format(PROGRAM)

COMMANDS: Dict[str, Command] = {
    "demo": Command(
        "local.commands.demo",
        "[FILE ...]",
        "the main job on this machine alone: start all servers, drop FILE, show its results, stop",
        "Without FILE: samples/buildings.csv. Without --answers, answers are made up.\n\n" + _LIMIT_DETAILS,
        _demo,
    ),
    "check": Command(
        "local.commands.check",
        "FILE ...",
        "what would be sent, sending nothing: rows, first request, schema, tokens, cost",
        "Ends with 1 where a file cannot be sent at all, or where rows of it are invalid.",
        _check,
    ),
    "up": Command("local.commands.up", "", "storage, batch service and functions on this machine, until Ctrl-C"),
    "drop": Command(
        "local.commands.drop",
        "PATH ...",
        "drop files into the running local storage (or --account), follow their jobs, fetch results",
        _LIMIT_DETAILS,
        _drop,
    ),
    "jobs": Command("local.commands.jobs", "", "the newest jobs as a table", "", _jobs),
    "results": Command(
        "local.commands.results",
        "JOB ...",
        "fetch a job's results and show them; one that still runs is followed to its end",
        _JOB_DETAILS,
        _results,
    ),
    "retry": Command(
        "local.commands.steer",
        "JOB ...",
        "try an ended job's failed rows again; after a trial run: send the rest",
        _JOB_DETAILS,
        _steer,
    ),
    "release": Command("local.commands.steer", "JOB ...", "let a held job go on", _JOB_DETAILS, _steer),
    "cancel": Command(
        "local.commands.steer", "JOB ...", "cancel a job; what was answered is kept", _JOB_DETAILS, _steer
    ),
    "services": Command("local.commands.up", "", "storage and batch service only, for 'func start' of Core Tools"),
    "test": Command(
        "local.commands.all_checks",
        "[OPTION ...]",
        "lint, types and all tests; options go to pytest, as in: test -k jobs",
    ),
    "bench": Command(
        "benchmarks", "[OPTION ...]", "the benchmarks; bench soak --help tells about the soak", "", _bench
    ),
}
