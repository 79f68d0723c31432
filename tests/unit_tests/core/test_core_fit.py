"""What is known not to fit is seen before it is sent; everything else fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_reliable._core.fit import (
    ANYTHING,
    AUDIO,
    IMAGE,
    PDF,
    VIDEO,
    Capacity,
    Content,
    capacity,
    fits,
    misfit,
    places_with_tags,
    scan,
)

BASE64 = "A" * 60_000
LONG = Content(characters=60_000, pictures=0, needs=0)  # 10,000 tokens at least


def holding(*blocks):
    return scan([HumanMessage(list(blocks))])


def test_text_is_counted_wherever_it_stands():
    messages = [
        SystemMessage("four"),
        HumanMessage(["four", {"type": "text", "text": "four"}]),
        AIMessage([{"type": "output_text", "text": "four"}]),
        ToolMessage("four", tool_call_id="1"),
        HumanMessage(
            [
                {"type": "tool_result", "content": "four"},
                {"type": "tool_result", "content": [{"type": "text", "text": "four"}]},
                {"type": "text-plain", "text": "four", "mime_type": "text/plain"},
            ]
        ),
        AIMessage([]),
        HumanMessage(""),
    ]
    assert scan(messages) == Content(32, 0, 0)


@pytest.mark.parametrize(
    ("block", "pictures", "needs"),
    [
        ({"type": "image_url", "image_url": {"url": "https://x"}}, 1, IMAGE),
        ({"type": "image", "base64": BASE64, "mime_type": "image/png"}, 1, IMAGE),
        ({"type": "image", "source": {"type": "base64", "data": BASE64}}, 1, IMAGE),
        ({"type": "input_image", "image_url": "https://x"}, 1, IMAGE),
        ({"type": "media", "mime_type": "image/png", "data": BASE64}, 1, IMAGE),
        ({"type": "input_audio", "input_audio": {"data": BASE64}}, 0, AUDIO),
        ({"type": "audio", "base64": BASE64, "mime_type": "audio/wav"}, 0, AUDIO),
        ({"type": "media", "mime_type": "audio/wav", "data": BASE64}, 0, AUDIO),
        ({"type": "video", "url": "https://x"}, 0, VIDEO),
        ({"type": "media", "mime_type": "video/mp4", "data": BASE64}, 0, VIDEO),
        ({"type": "file", "base64": BASE64, "mime_type": "application/pdf"}, 1, PDF),
        (
            {"type": "file", "file": {"file_data": f"data:application/pdf;{BASE64}"}},
            1,
            PDF,
        ),
        ({"type": "input_file", "filename": "a.PDF", "file_data": BASE64}, 1, PDF),
        (
            {"type": "document", "source": {"media_type": "application/pdf"}},
            1,
            PDF,
        ),
        ({"type": "document", "source": {"url": "https://x/a.pdf"}}, 1, PDF),
        ({"type": "file", "file_id": "file-1"}, 0, 0),
        ({"type": "file", "base64": BASE64, "mime_type": "text/csv"}, 0, 0),
        ({"type": "thinking", "signature": BASE64}, 0, 0),
        ({"type": "tool_use", "input": {"a": BASE64}}, 0, 0),
        ({"data": BASE64}, 0, 0),
    ],
)
def test_media_are_seen_and_base64_is_no_text(block, pictures, needs):
    assert holding(block) == Content(0, pictures, needs)


def test_a_picture_in_the_result_of_a_tool_is_seen():
    picture = {"type": "image", "base64": BASE64}
    inner = {"type": "tool_result", "content": [picture]}
    assert holding(inner) == Content(0, 1, IMAGE)


def test_strange_blocks_are_passed_over():
    strange = [{"type": ["list"]}, {"type": "text", "text": None}, {"type": "file"}]
    assert holding(*strange) == Content(0, 0, 0)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "text", "content", "source", "file", "mime_type"]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_no_block_breaks_the_scan(block):
    message = HumanMessage("")
    message.content = [block]
    assert all(one >= 0 for one in scan([message]))


# --- what fits --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "fit"),
    [
        pytest.param(ANYTHING, True, id="nothing is known"),
        pytest.param(capacity(None, {"max_input_tokens": 10_000}), True, id="just"),
        pytest.param(capacity(None, {"max_input_tokens": 9_999}), False, id="not"),
        pytest.param(capacity(10_000, {"max_input_tokens": 1}), True, id="owner's"),
        pytest.param(capacity(9_999, None), False, id="owner's alone"),
        pytest.param(capacity(None, {"max_input_tokens": "many"}), True, id="strange"),
    ],
)
def test_a_question_fits_unless_it_is_known_to_be_too_long(known, fit):
    assert fits(LONG, known) is fit
    assert (misfit(LONG, known) == "") is fit


def test_the_answer_counts_in_a_window_that_its_owner_named():
    assert not fits(LONG, capacity(10_500, None), max_tokens=1_000)
    assert fits(LONG, capacity(None, {"max_input_tokens": 10_500}), max_tokens=1_000)


def test_a_picture_counts_a_thousand_tokens():
    ten = Content(0, 10, IMAGE)
    assert fits(ten, capacity(10_000, None))
    assert not fits(ten, capacity(9_999, None))
    assert ten.likely_tokens == 10_000


def test_a_likely_token_has_four_characters():
    assert Content(4_001, 0, 0).likely_tokens == 1_001


@pytest.mark.parametrize(
    ("needs", "field"),
    [
        (IMAGE, "image_inputs"),
        (AUDIO, "audio_inputs"),
        (PDF, "pdf_inputs"),
        (VIDEO, "video_inputs"),
    ],
)
def test_media_fit_unless_the_profile_says_no(needs, field):
    content = Content(0, 0, needs)
    assert fits(content, capacity(None, {field: True}))
    assert fits(content, capacity(None, {field: None}))
    assert fits(content, capacity(None, {}))
    assert not fits(content, capacity(None, {field: False}))
    assert fits(Content(9, 0, 0), capacity(None, {field: False}))


def test_tools_fit_unless_the_profile_says_no():
    known, content = capacity(None, {"tool_calling": False}), Content(9, 0, 0)
    assert not fits(content, known, tools=True)
    assert fits(content, known)
    assert fits(content, ANYTHING, tools=True)


def test_says_why_a_request_does_not_fit():
    blind = capacity(None, {"image_inputs": False, "tool_calling": False})
    assert misfit(Content(0, 1, IMAGE), blind) == "takes no images"
    assert misfit(Content(0, 1, IMAGE), blind, tools=True) == "takes no images or tools"
    said = misfit(LONG, Capacity(8_192, holds_answers=True), max_tokens=500)
    assert said == "at least 10,500 tokens, and 8,192 fit"


# --- tags -------------------------------------------------------------------------


def test_only_those_with_all_tags_are_asked():
    tags = [("eu", "zdr"), ("eu",), (), ("us", "zdr", "eu")]
    assert places_with_tags(tags, ("eu", "zdr")) == [0, 3]
    assert places_with_tags(tags, ("eu",)) == [0, 1, 3]
    assert places_with_tags(tags, ()) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("tags", "asked", "text"),
    [
        (
            [("eu", "zdr"), ("eu",)],
            ("us",),
            (
                "no candidate has the tag 'us'; "
                "there are 'eu' (2), 'zdr' (1) among 2 candidates"
            ),
        ),
        (
            [("eu",), ("zdr",)],
            ("zdr", "eu"),
            (
                "no candidate has all of the tags 'eu', 'zdr'; "
                "there are 'eu' (1), 'zdr' (1) among 2 candidates"
            ),
        ),
        (
            [(), ()],
            ("eu",),
            (
                "no candidate has the tag 'eu'; "
                "no candidate has any: write Candidate(model, tags=(...))"
            ),
        ),
    ],
)
def test_tags_that_nobody_has_are_told_with_those_there_are(tags, asked, text):
    with pytest.raises(ValueError, match="no candidate has") as caught:
        places_with_tags(tags, asked)
    assert str(caught.value) == text
