"""Requests and responses against Discord's own document."""

from __future__ import annotations

import pytest

from peerbot.rehearsal.contract import Contract, ContractViolation, document_path

pytestmark = pytest.mark.skipif(document_path() is None, reason="Discord's document is not here: PEERBOT_DISCORD_SPEC")

MESSAGES = "/channels/{channel_id}/messages"


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract.load()


def test_a_good_request_passes_by_template_and_by_path(contract: Contract) -> None:
    contract.request("POST", MESSAGES, {"content": "hello"})
    contract.request("POST", "/channels/123456789012345678/messages", {"content": "hello"})


def test_a_violation_says_where_it_is(contract: Contract) -> None:
    button = {"type": 2, "style": 1, "label": "x" * 81, "custom_id": "a"}
    with pytest.raises(ContractViolation, match=r"components\[0\]\.components\[0\]\.label"):
        contract.request("POST", MESSAGES, {"components": [{"type": 1, "components": [button]}]})


def test_the_branch_of_a_union_is_found_by_its_type(contract: Contract) -> None:
    modal = {"type": 9, "data": {"custom_id": "a", "title": "x" * 46, "components": [{"type": 10, "content": "x"}]}}
    with pytest.raises(ContractViolation, match=r"data\.title"):
        contract.request("POST", "/interactions/{interaction_id}/{interaction_token}/callback", modal)


def test_a_literal_path_comes_before_a_named_one(contract: Contract) -> None:
    contract.response("GET", "/applications/@me", 401, {"message": "401: Unauthorized", "code": 0})
    with pytest.raises(ContractViolation, match="not in Discord's document"):
        contract.request("DELETE", "/applications/@me", None)


def test_a_response_needs_its_required_fields(contract: Contract) -> None:
    with pytest.raises(ContractViolation, match='"code" is a required property'):
        contract.response("POST", MESSAGES, 400, {"message": "Invalid Form Body"})


def test_a_response_without_content_has_no_body(contract: Contract) -> None:
    path = "/channels/{channel_id}/messages/{message_id}"
    contract.response("DELETE", path, 204, None)
    with pytest.raises(ContractViolation, match="no body"):
        contract.response("DELETE", path, 204, {})


def test_a_server_error_has_no_form(contract: Contract) -> None:
    contract.response("POST", MESSAGES, 502, None)


def test_a_status_that_is_not_known_is_a_violation(contract: Contract) -> None:
    with pytest.raises(ContractViolation, match="only"):
        contract.response("POST", MESSAGES, 201, {})
