"""Tests that reach into the bare class, by name.

Why a test cannot hold for a wrapped model stands here, one line each. What merely
fails never does.
"""

PRIVATE: dict[str, str] = {
    "test_chat_models::test_skills": "calls `llm._get_request_payload`",
}
