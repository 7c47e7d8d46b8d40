"""The checker on histories made by hand: what is right it lets pass, and each thing that is wrong it finds."""

import json
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from ledger import check, history  # noqa: E402
from ledger.check import Final, Outage, Promotion  # noqa: E402

OLD, NEW = 5001, 5002


class Story:
    """Writes a history as a session would; time goes on by a tenth of a second with every line."""

    def __init__(self, number=1, proxy=0, kind="client", at=0.0):
        self.number, self.at = number, at
        self.lines = [["session", number, proxy, kind]]
        self.n = 0
        self.line("opened")

    def line(self, what, *rest):
        self.at = round(self.at + 0.1, 3)
        if what in ("opened", "bye"):
            self.lines.append([what, self.at])
        else:
            self.lines.append([what, rest[0], self.at, *rest[1:]])
        return self

    def op(self, kind, effects=()):
        self.n += 1
        return self.line("op", self.n, kind, list(effects))

    def step(self, stage, what, *rest):
        self.line("ask", self.n, stage)
        return self.line(what, self.n, stage, *rest) if what else self

    def append(self, what="got", *rest, node=OLD):
        return self.op("append", [["e", 1]]).step("auto_write", what, *(rest or ([node] if what == "got" else [])))

    def transaction(self, what, *rest):
        self.op("append in transaction", [["e", 1], ["e", 1]]).step("begin", "got", "BEGIN")
        self.step("write", "got", OLD).step("write", "got", OLD)
        return self.step("commit", what, *rest)

    def read(self, own=None, list=None, total=None, node=OLD):
        answer = {"node": node}
        if own is not None:
            answer["own"] = [0, "append", own]
        if list is not None:
            answer["list"] = [1, list]
        if total is not None:
            answer["total"] = total
        return self.op("read").step("auto_read", "got", answer)

    def session(self, bye=True):
        if bye:
            self.line("bye")
        return history.parse(json.dumps(line) for line in self.lines)


def rules(*stories, there=(), events=(), synchronous=True, balances=None, transfers=(), bye=True):
    """The names of the rules that are broken; `there` are the (session, n) of rows."""
    final = Final([(1, session, n) for session, n in there], transfers, balances or {1: 100, 2: 100}, 100)
    report = check.check([story.session(bye) for story in stories], final, list(events), synchronous, accounts=2)
    return sorted({rule for rule, _ in report.violations})


PROMOTION = Promotion(OLD, NEW, 5.0, 6.0, 6.5)


def test_a_history_in_which_all_is_well():
    story = Story().append().transaction("got", "COMMIT").append("error", "57P03", "held")
    story.lines[-1][2] = story.at = story.at + 30  # it had waited
    story.read(own=[1, 2, 2], total=[200, 2], list=[[1, 3, 2]])
    assert rules(story, there=[(1, 1), (1, 2), (1, 2)]) == []


def test_an_acknowledged_commit_must_be_there():
    assert rules(Story().append()) == ["lost"]
    assert rules(Story().transaction("got", "COMMIT")) == ["lost"]


def test_what_was_refused_must_not_be_there():
    assert rules(Story().transaction("error", "40001", "lost"), there=[(1, 1), (1, 1)]) == ["refused"]
    assert rules(Story().transaction("got", "ROLLBACK"), there=[(1, 1), (1, 1)]) == ["refused"]


@pytest.mark.parametrize("there", [[], [(1, 1)]])
def test_08007_is_either(there):
    assert rules(Story().append("error", "08007", "unknown"), there=there) == []


def test_half_a_transaction_is_wrong_whatever_was_said():
    for end in (("got", "COMMIT"), ("error", "08007", "unknown")):
        assert rules(Story().transaction(*end), there=[(1, 1)]) == ["atomic"]


def test_a_write_that_ran_twice_is_found():
    assert rules(Story().append(), there=[(1, 1), (1, 1)]) == ["atomic"]


def test_rows_that_nobody_wrote_are_found():
    assert rules(Story().append(), there=[(1, 1), (7, 7)]) == ["foreign"]


def test_a_write_that_was_never_answered_hangs_and_is_either():
    for there in ([], [(1, 1)]):
        assert rules(Story().append(None), there=there) == ["hung"]


def test_a_session_that_did_not_end_is_found():
    assert rules(Story(), bye=False) == ["ended"]


def test_money_is_neither_made_nor_lost():
    move = [(1, 1, 1, 2, 30)]
    story = Story().op("transfer", [["t", 1, 2, 30]]).step("auto_write", "got", OLD)
    assert rules(story, transfers=move, balances={1: 70, 2: 130}) == []
    assert rules(story, transfers=move, balances={1: 70, 2: 100}) == ["balances"]
    assert rules(Story(), balances={1: 100}) == ["balances"]


# Reads.

def test_a_session_reads_what_it_wrote():
    assert rules(Story().append().read(own=[]), there=[(1, 1)]) == ["own write"]


def test_a_session_does_not_read_what_was_refused():
    story = Story().transaction("error", "40001", "lost").read(own=[1, 1])
    assert rules(story) == ["read"]


def test_what_was_unknown_and_then_seen_stays():
    story = Story().append("error", "08007", "unknown").read(own=[]).read(own=[1]).read(own=[])
    assert rules(story, there=[(1, 1)]) == ["backward"]


def test_a_list_never_gets_shorter():
    assert rules(Story().read(list=[[2, 3, 9]]).read(list=[[2, 3, 9]])) == []
    assert rules(Story().read(list=[[2, 3, 9]]).read(list=[[2, 2, 9]])) == ["backward"]
    assert rules(Story().read(list=[[2, 3, 9]]).read(list=[[2, 3, 8]])) == ["backward"]
    assert rules(Story().read(list=[[2, 3, 9]]).read(list=[])) == ["backward"]


def test_another_connection_may_read_what_is_older():
    story = Story().append().read(own=[1], list=[[2, 3, 9]])
    story.op("login").step("login", "got", None).line("opened").read(own=[], list=[])
    assert rules(story, there=[(1, 1)]) == []


def test_every_total_is_the_same():
    assert rules(Story().read(total=[199, 2])) == ["total"]
    assert rules(Story().read(total=[200, 1])) == ["total"]


# Errors and closings.

@pytest.mark.parametrize("stage, sqlstate", [("auto_read", "40001"), ("auto_write", "40001"), ("auto_write", "25006"),
                                             ("auto_write", "53300"), ("commit", "25P02"), ("rollback", "40001"),
                                             ("begin", "40001"), ("auto_write", "ValueError")])
def test_an_error_that_the_design_does_not_know_there_is_found(stage, sqlstate):
    assert rules(Story().op("any").step(stage, "error", sqlstate, "text")) == ["sqlstate"]


def test_57P03_is_for_those_who_waited():
    assert rules(Story().append("error", "57P03", "no primary")) == ["sqlstate"]


def test_a_lost_transaction_is_rolled_back_at_once():
    def story(seconds):
        made = Story().op("append in transaction").step("begin", "got", "BEGIN").step("write", "error", "40001", "lost")
        made.line("ask", made.n, "rollback").at += seconds
        return made.line("got", made.n, "rollback", "ROLLBACK")

    assert rules(story(1)) == []
    assert rules(story(6)) == ["late"]


def test_no_session_is_closed():
    assert rules(Story().append("closed", "gone")) == ["closed"]
    story = Story(kind="idle")
    story.lines.append(["closed", None, 1.0, None, "gone"])
    assert rules(story) == ["closed"]


def test_a_proxy_that_ends_closes_its_own_sessions_alone():
    def story(proxy):
        return Story(proxy=proxy).append("closed", "gone").op("login").step("login", "got", None).line("opened").append()

    outage = [Outage(0, 0.2, 0.6)]
    assert rules(story(0), there=[(1, 3)], events=outage) == []
    assert rules(story(1), there=[(1, 3)], events=outage) == ["closed"]


def test_an_old_outage_explains_no_closing():
    story = Story(at=10.0).append("closed", "gone")
    assert rules(story, events=[Outage(0, 1.0, 2.0)]) == ["closed"]


def test_a_pinned_session_may_be_closed_with_its_reason():
    text = "the connection to node a was lost, and with it this session's state (gone)"
    assert rules(Story(kind="pinned").op("use").step("auto_write", "closed", text)) == []
    assert rules(Story(kind="pinned").op("use").step("auto_write", "closed", "gone")) == ["closed"]
    unread = Story(kind="pinned").op("use").step("auto_write", "closed", "gone")
    assert rules(unread, events=[check.Trouble(0.1, 0.3)]) == []
    assert rules(unread, events=[check.Trouble(1.1, 1.3)]) == ["closed"]


def test_nobody_hears_of_what_was_planned():
    quiet = [check.Quiet(0.0, 1.0)]
    assert rules(Story().append("error", "08007", "unknown"), events=quiet) == ["quiet"]
    assert rules(Story(at=2.0).append("error", "08007", "unknown"), events=quiet) == []
    assert rules(Story().append("error", "08007", "unknown"), events=[check.Quiet(0.0, 1.0, proxy=1)]) == []
    assert rules(Story(proxy=1).append("error", "08007", "unknown"), events=[check.Quiet(0.0, 1.0, proxy=1)]) == ["quiet"]


# Promotions.

def test_nobody_writes_to_the_old_primary_once_the_new_one_was_written_to():
    def stories(sent_at):
        return Story(1, at=6.2).append(node=NEW), Story(2, at=sent_at).append(node=OLD)

    there = [(1, 1), (2, 1)]
    assert rules(*stories(6.2), there=there, events=[PROMOTION]) == []
    assert rules(*stories(7.0), there=there, events=[PROMOTION]) == ["node"]
    back = Promotion(NEW, OLD, 6.6, 6.7, 6.8)
    assert rules(*stories(7.0), there=there, events=[PROMOTION, back]) == []


def test_a_write_on_the_next_primary_may_be_older_than_the_note_of_its_promotion():
    stories = Story(1, at=6.2).append(node=NEW), Story(2, at=8.0).append(node=5003)
    there = [(1, 1), (2, 1)]
    noted_late = Promotion(NEW, 5003, 7.5, 8.5, 8.6)
    assert rules(*stories, there=there, events=[PROMOTION, noted_late]) == []
    struck_later = Promotion(NEW, 5003, 8.4, 8.5, 8.6)
    assert rules(*stories, there=there, events=[PROMOTION, struck_later]) == ["node"]


def test_an_asynchronous_promotion_may_lose_the_tail():
    first, last = Story(1, at=4.0).append(), Story(2, at=4.7).append()
    assert rules(first, last, there=[(1, 1)], events=[PROMOTION], synchronous=False) == []
    assert rules(first, last, there=[(1, 1)], events=[PROMOTION], synchronous=True) == ["lost"]


def test_what_is_lost_must_be_the_tail():
    first, last = Story(1, at=4.0).append(), Story(2, at=4.7).append()
    assert rules(first, last, there=[(2, 1)], events=[PROMOTION], synchronous=False) == ["tail"]


def test_a_loss_without_a_promotion_is_none_that_is_allowed():
    story = Story(at=7.0).append()
    assert rules(story, events=[PROMOTION], synchronous=False) == ["lost"]
    assert rules(Story(at=4.0).append(node=NEW), events=[PROMOTION], synchronous=False) == ["lost"]


def test_time_may_go_back_over_an_asynchronous_promotion_alone():
    def story(at, again):
        lines = Story(at=at).append().read(own=[1], list=[[1, 1, 1]])
        lines.at = again
        return lines.read(own=[], list=[], node=NEW)

    assert rules(story(4.5, 7.0), events=[PROMOTION], synchronous=False) == []
    assert rules(story(4.5, 7.0), events=[PROMOTION], synchronous=True) == ["backward", "lost", "own write"]
    assert "backward" in rules(story(3.0, 4.0), events=[PROMOTION], synchronous=False)


def test_a_history_that_breaks_off_is_read_up_to_there():
    story = Story().append()
    lines = [json.dumps(line) for line in story.lines] + ['["op",2,1.']
    session = history.parse(lines)
    assert [op.outcome for op in session.ops] == [history.COMMITTED] and session.ended is None
