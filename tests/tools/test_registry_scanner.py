"""The archive before the node registry's scanner, which reads every text in it: code, data and prose alike.

The scanner's rules are closed; these are the ones that other packs' published findings name. It looks for
words and knows no context, and one finding, harmless or not, can keep a version from being offered. So a word
that trips it is written another way, even in a sentence, or it has its reason in :data:`ALLOWED`.
"""

import re
import zipfile
from dataclasses import dataclass

import pytest
from reporting import fail_with

from tools import pack

#: What a rule is about -> the words that trip it.
TRIGGERS = {
    "sockets": r"\.\s*(?:connect|bind|listen|accept|send|sendall|sendto|recv|recvfrom|recv_into)\s*\("
    r"|\bcreate_connection\b|\bimport\s+socket\b|\bsocket\s*\.\s*socket\b",
    "requests": r"aiohttp\s*\.\s*ClientSession|\brequests\s*\.\s*\w|\burllib\d?\b|\burlopen\b|\burlretrieve\b"
    r"|\bhttp\s*\.\s*client\b|\bhttpx\b|\bXMLHttpRequest\b|\bnew\s+WebSocket\b",
    "processes": r"\bsubprocess\b|\bos\s*\.\s*(?:system|popen|fork|kill|startfile|exec\w+|spawn\w+)\b"
    r"|\bmultiprocessing\b",
    "environment": r"\bos\s*\.\s*(?:environ|getenv|putenv)\b",
    "evaluation": r"\beval\s*\(|(?<![.\w])exec\s*\(|\b__import__\b|\bimportlib\b|(?<![.\w])compile\s*\("
    r"|\bnew\s+Function\b",
    "unpickling": r"\bimport\s+(?:pickle|marshal|shelve|dill)\b|\b(?:pickle|marshal|dill)\.\w+",
    "bytecode": r"\bCodeType\b|\bco_code\b|\bimport\s+dis\b|\bsettrace\b",
    "encoding": r"\bbase64\b|\bzlib\b|\bcodecs\b|\batob\s*\(|\bfromCharCode\b",
    "databases": r"\bsqlite3\b|\bpsycopg\d?\b|\bpymysql\b",
    "native code": r"\bctypes\b|\bcffi\b|\bwinreg\b",
    "shells": r"\brm\s+-rf\b|\bcurl\s+-|\bwget\s|\bchmod\s|\bsudo\s",
    "markup": r"<[^<>]*\bon(?:load|error)\s*=|<script\b",
    "packages by address": r"(?m)^[\w\[\]-]+\s*@\s*(?:https?|git\+)|\bgit\+https?://",
}

#: (file, rule) -> why the words stay.
ALLOWED = {
    ("consistentid_core/data/report.py", "encoding"): "a page of pictures that needs no other file",
    (
        "consistentid_core/evaluation/report/sheets.py",
        "encoding",
    ): "a page of pictures that needs no other file",
    (
        "consistentid_core/evaluation/servers.py",
        "requests",
    ): "the evaluation command queues pictures on the servers it is given; no node does",
    (
        "consistentid_core/files/pickle_scan.py",
        "encoding",
    ): "names the error of a damaged archive, to word it",
    (
        "consistentid_core/identity/providers.py",
        "evaluation",
    ): "asks which builds of onnxruntime are installed",
    ("consistentid_core/training/__main__.py", "evaluation"): "the training command reads its start by path",
    ("consistentid_core/training/run.py", "environment"): "how many processes a launcher has started",
    ("nodes/training/start_host.py", "evaluation"): "the training command loads the pack as ComfyUI does",
}

TEXTS = (
    ".cfg",
    ".css",
    ".html",
    ".js",
    ".json",
    ".md",
    ".mjs",
    ".py",
    ".svg",
    ".toml",
    ".ts",
    ".txt",
    ".typed",
    ".yaml",
    ".yml",
)
#: Files of these kinds hold no text; anything else must be among TEXTS, or nobody would look into it.
PICTURES = (".jpg", ".png")


@dataclass(frozen=True)
class Finding:
    file: str
    rule: str
    line: int
    words: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.words!r} ({self.rule})"


def scan(file: str, text: str) -> list[Finding]:
    """The first finding of each rule, which is what the registry reports."""
    return [
        Finding(file, rule, text.count("\n", 0, match.start()) + 1, match[0])
        for rule, words in TRIGGERS.items()
        if (match := re.search(words, text))
    ]


@pytest.fixture(scope="module")
def texts(tmp_path_factory) -> dict[str, str]:
    """Every file of the archive that is no picture, by its path below the pack's folder."""
    with zipfile.ZipFile(pack.build(tmp_path_factory.mktemp("archive"), allow_dirty=True)) as archive:
        names = [name for name in archive.namelist() if not name.endswith(PICTURES)]
        return {name.split("/", 1)[1]: archive.read(name).decode("utf-8") for name in names}


@pytest.fixture(scope="module")
def findings(texts) -> list[Finding]:
    return [finding for file, text in texts.items() for finding in scan(file, text)]


def test_nothing_in_the_archive_trips_the_scanner(findings):
    new = [finding for finding in findings if (finding.file, finding.rule) not in ALLOWED]
    fail_with(new, "The registry's scanner would flag these; write them another way:")


def test_every_allowance_is_still_needed(findings):
    stale = ALLOWED.keys() - {(finding.file, finding.rule) for finding in findings}
    fail_with(stale, "Nothing there trips the scanner any more; take it out of ALLOWED:")


def test_what_is_in_the_archive_is_text_or_a_picture(texts):
    unknown = [file for file in texts if not file.endswith(TEXTS) and "." in file.rsplit("/", 1)[-1]]
    fail_with(unknown, "Is this kind of file text or not?")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("slot.connect (other)", "sockets"),
        ("Function.prototype.bind (a sentence)", "sockets"),
        ("chunk = probe.recv(4096)", "sockets"),
        ("async with aiohttp.ClientSession() as session:", "requests"),
        ("from urllib.parse import quote", "requests"),
        ("requests.get(address)", "requests"),
        ("It starts no subprocess.", "processes"),
        ("os.system('ls')", "processes"),
        ("os.environ['HOME']", "environment"),
        ("model.eval()", "evaluation"),
        ("exec(text)", "evaluation"),
        ("import importlib.util", "evaluation"),
        ("except pickle.UnpicklingError:", "unpickling"),
        ("import base64", "encoding"),
        ("Delete it with rm -rf.", "shells"),
        ('<svg onload="run()">', "markup"),
        ("faces @ https://example.org/faces.whl", "packages by address"),
    ],
)
def test_the_words_are_recognised(text, rule):
    assert [finding.rule for finding in scan("example", text)] == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "re.compile(r'x')",
        "pattern.exec(text)",
        "requests of a user",
        "a pickle runs code",
        "retrieval(x)",
        "reconnect()",
    ],
)
def test_other_words_are_not(text):
    assert scan("example", text) == []
