"""What is sent, and to which addresses; sending itself is tested with servers that fail, in tests/faults."""

import json
import subprocess
import sys

import apprise
import pytest

from salesanalysis.report import notify
from salesanalysis.report.exits import Exit

FORMS = {  # as docs/schedule.md shows them, with tokens that have the right form
    "企业微信": ("wecombot://9a1b2c3d-0000-4e5f-8a9b-0c1d2e3f4a5b", "WeCom Bot"),
    "企业微信, as copied": (
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=9a1b2c3d-0000-4e5f-8a9b-0c1d2e3f4a5b",
        "WeCom Bot",
    ),
    "钉钉": ("dingtalk://SEC0123abcd@0123456789abcdef0123456789abcdef", "DingTalk"),
    "飞书": ("feishu://01234567-89ab-cdef-0123-456789abcdef", "Feishu"),
    "Lark": ("lark://01234567-89ab-cdef-0123-456789abcdef", "Lark (Feishu)"),
    "mail": ("mailtos://robot:secret123@example.com?to=ops@example.com", "E-Mail"),
    "mail by another server": (
        "mailtos://example.com?smtp=smtp.example.com&user=robot&pass=secret123&from=robot@example.com&to=a@example.com,b@example.com",
        "E-Mail",
    ),
    "Slack": ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#sales", "Slack"),
    "Slack, as copied": (
        "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "Slack",
    ),
    "Teams": (
        "workflows://prod-12.westeurope.logic.azure.com:443/643e69f83c8944438d68119179a10a64/sig0123456789",
        "Power Automate / Workflows (for MSTeams)",
    ),
    "webhook, JSON": ("jsons://robot:secret123@hooks.example.com/reports", "JSON"),
    "webhook, XML": ("xmls://robot:secret123@hooks.example.com/reports", "XML"),
}


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # in apprise's Lark
@pytest.mark.parametrize("what", sorted(FORMS))
def test_the_documented_addresses_are_addresses(what):
    """
    apprise itself reads each of them, as the service that is meant.
    """
    address, name = FORMS[what]

    service = apprise.Apprise.instantiate(address, suppress_exceptions=False)

    assert f"{service.service_name}" == name


def test_without_addresses_nothing_is_done(monkeypatch):
    """
    Without the variable, or with nothing but space in it, no process is started.
    """
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("a process was started"))
    for value in ("", " \n\t"):
        monkeypatch.setenv("SALESANALYSIS_NOTIFY", value)
        assert notify.notify("title", "body", warn=pytest.fail) is None
    monkeypatch.delenv("SALESANALYSIS_NOTIFY")
    assert notify.notify("title", "body", warn=pytest.fail) is None


def test_without_apprise_the_extra_is_named(monkeypatch):
    """
    A variable that is set and cannot be used is said once.
    """
    monkeypatch.setenv("SALESANALYSIS_NOTIFY", "json://secret-token-1 json://secret-token-2")
    monkeypatch.setattr(notify.importlib.util, "find_spec", lambda name: None)
    warned = []

    assert notify.notify("title", "body", warn=warned.append) is False

    (text,) = warned
    assert 'pip install "salesanalysis[notify]"' in text
    assert "secret-token" not in text


def test_apprise_is_imported_only_by_the_process_that_sends():
    """
    A run that tells nobody does not pay for it.
    """
    code = (
        "import sys; from salesanalysis.report import notify; "
        "print(*sorted({'apprise', 'requests', 'urllib3'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


def test_no_process_can_be_started(monkeypatch):
    """
    Even then a run ends as it would have.
    """
    monkeypatch.setenv("SALESANALYSIS_NOTIFY", "json://secret-token-1")

    def refuse(*_arguments, **_options):
        raise OSError(12, "Cannot allocate memory for secret-token-1")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    warned = []

    assert notify.notify("title", "body", warn=warned.append) is False

    (text,) = warned
    assert text.startswith("nobody was told how the run ended: OSError")
    assert "secret-token" not in text


@pytest.mark.parametrize("module", ["this", "no.such.module"])
def test_a_process_that_says_nonsense_is_a_failure(monkeypatch, capfd, module):
    """
    Only a full answer without a problem means that somebody was told; what else it says is not shown.
    """
    monkeypatch.setenv("SALESANALYSIS_NOTIFY", "json://secret-token-1")
    monkeypatch.setattr(notify, "_CALLED_AS", module)  # prints a poem and ends with 0; fails
    warned = []

    assert notify.notify("title", "body", warn=warned.append) is False
    assert warned == ["address 1 of 1 in SALESANALYSIS_NOTIFY was not told: sending failed"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("n_pages", "warnings", "body"),
    [
        (1, [], "1 page: https://reports.example/2026-06-30/"),
        (
            24,
            ["data end 2026-06-28"],
            "24 pages: https://reports.example/2026-06-30/\nWarning: data end 2026-06-28",
        ),
    ],
)
def test_what_is_sent_on_success(n_pages, warnings, body):
    """
    How many pages, where they are, and what the run warned of.
    """
    sent = notify.success(
        "销售月报", "2026-06-30", "https://reports.example/2026-06-30/", n_pages, warnings
    )

    assert sent == ("销售月报, 2026-06-30: published", body)


def test_many_warnings_are_counted():
    """
    The message stays short.
    """
    sent = notify.success("Monthly", "2026-06-30", "/srv", 2, [f"w{n}" for n in range(8)])

    assert sent.body.splitlines()[-2:] == ["Warning: w4", "and 3 more warnings"]


@pytest.mark.parametrize("code", [code for code in Exit if code != Exit.PUBLISHED])
def test_every_end_has_words(code):
    """
    A failure says what its exit code means, and never calls what is known unexpected.
    """
    sent = notify.failure("Monthly", "2026-06-30", "", code)

    assert f"(exit code {int(code)})" in sent.body
    assert ("unexpected" in sent.body) == (code == Exit.UNEXPECTED)
    assert sent.title == (
        "Monthly, 2026-06-30: partly published"
        if code == Exit.PARTLY
        else "Monthly, 2026-06-30: not published"
    )


@pytest.mark.parametrize(
    ("code", "is_told"),
    [
        (Exit.INPUT_REFUSED, True),
        (Exit.USAGE, True),
        (Exit.NOT_PUBLISHED, True),
        (Exit.UNEXPECTED, False),
        (Exit.PARTLY, False),
    ],
)
def test_a_reason_that_may_quote_data_is_not_sent(code, is_told):
    """
    What a cell failed with can hold a name; the message says where to read it.
    """
    reason = "scorecard.ipynb: cell 4 failed with KeyError: '王伟'"

    sent = notify.failure("Monthly", "2026-06-30", reason, code, details="/srv/reports/.runs/1")

    assert (reason in sent.body) == is_told
    assert sent.body.endswith("Details: /srv/reports/.runs/1")


def test_a_run_that_failed_before_its_date_was_known():
    """
    The title then has no empty date.
    """
    assert notify.failure("monthly.yaml", "", "", Exit.USAGE).title == "monthly.yaml: not published"


def test_what_is_sent_is_short_and_has_no_secret(monkeypatch):
    """
    The title is one line, both are cut to bytes at a character, and secrets of the environment are taken out.
    """
    monkeypatch.setenv("SALESANALYSIS_NOTIFY", "json://127.0.0.1/0123456789abcdef")
    monkeypatch.setenv("SOME_TOKEN", "a-secret-of-the-run")
    sent = []
    monkeypatch.setattr(
        notify, "_ask", lambda addresses, message, seconds: [sent.append(message) or ("", "")]
    )

    assert notify.notify("a\nb", "a-secret-of-the-run " + "漏" * 2000, warn=pytest.fail) is True

    message = json.loads(sent[0])
    assert message["title"] == "a b"
    assert message["body"].startswith("••• 漏")
    assert message["body"].endswith("漏…")
    assert 1690 < len(message["body"].encode()) <= 1700
