"""What a server can, asked once: whether it has the model, log-probabilities, and teacher-forced scores."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.model import Message
from monitor.plan import ArmRule
from shadow.backends import teacher
from shadow.backends.backend import Request
from shadow.backends.protocol import SCHEMA_FORMS, Answered, answered, body_of, model_of, offers, same_model, served
from shadow.backends.session import Session
from shadow.errors import BackendError, EngineFault, Later, NotReplayable

HELLO = Request("probe", (Message("user", "Hi"),), max_tokens=1)
STRUCTURED = Request(
    "probe",
    (Message("user", "Hi"),),
    response_format={"type": "json_schema", "json_schema": {"name": "probe", "schema": {"type": "object"}}},
    max_tokens=1,
)
_NAMED = 5
_NO_LIST = ("engine_status_404", "engine_status_405", "engine_malformed", "engine_not_json")


@dataclass(frozen=True, slots=True)
class Abilities:
    """`logprobs` of the tokens that a server generates; `scores` of tokens that it is given."""

    logprobs: bool
    scores: bool


async def probe(session: Session, rule: ArmRule) -> Abilities:
    """Asks a server for a single token, twice at most, and for its list of models.

    Raises `BackendError` where the plan and the server do not fit together: token, model, address; and
    `EngineFault` or `Later` where the server does not answer now.
    """
    await _check_model(session, rule)
    try:
        reply = await _hello(session, rule, logprobs=True)
    except (NotReplayable, EngineFault) as without:
        # llama-cpp-python says 500 where it keeps no log-probabilities, others 400 for the parameter
        if isinstance(without, EngineFault) and not without.reason.startswith("engine_status_5"):
            raise
        reply = await _plain_hello(session, rule)
    return Abilities(bool(reply.output.logprobs), await _scores(session, rule, reply.prompt_tokens))


async def schema_form(session: Session, rule: ArmRule) -> str | None:
    """The form in which a server takes a schema, by an answer of one token in each; None where it does not tell now.

    llama-cpp-python takes one form only, and answers the other with status 500. A server that fails for a while must
    not be taken for it: others ignore a schema in that form. So the refusal has to come again after the answer.
    """
    usual, other = SCHEMA_FORMS
    if (taken := await _takes(session, rule, usual)) is not False:
        return usual if taken else None
    if await _takes(session, rule, other):
        return other if await _takes(session, rule, usual) is False else None
    return usual


async def _takes(session: Session, rule: ArmRule, form: str) -> bool | None:
    """Whether a schema in this form is answered; None where the server was not able to say."""
    body = body_of(STRUCTURED, rule.model, logprobs=False, schema_form=form)
    try:
        await session.ask("/chat/completions", body, lambda data: answered(data, rule.model), most=1, tries=1)
    except NotReplayable:
        return False
    except EngineFault as fault:
        return False if fault.reason == "engine_status_500" else None
    except Later:
        return None
    return True


async def _plain_hello(session: Session, rule: ArmRule) -> Answered:
    try:
        return await _hello(session, rule, logprobs=False)
    except NotReplayable as refusal:
        raise BackendError(f"the engine refuses a plain chat request ({_status(refusal)})") from None


async def _check_model(session: Session, rule: ArmRule) -> None:
    """Looks for the model in the server's list; gateways without one are asked for an answer only."""
    try:
        names = served(await session.transport.once("GET", f"{session.url}/models"))
    except NotReplayable:
        return
    except EngineFault as fault:
        _refuse(fault, rule)
        if fault.reason in _NO_LIST:
            return
        raise
    if names and not offers(names, rule.model):
        known = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
        raise BackendError(f"the engine has no model {rule.model!r}; it serves: {known}")


async def _hello(session: Session, rule: ArmRule, *, logprobs: bool) -> Answered:
    def read(data: bytes) -> Answered:
        said = model_of(data)
        if said and not same_model(rule.model, said):
            raise BackendError(f"the engine answers as {said!r}, and the plan says {rule.model!r}")
        return answered(data, rule.model)

    try:
        body = body_of(HELLO, rule.model, logprobs=logprobs)
        return await session.ask("/chat/completions", body, read, most=HELLO.max_tokens, tries=1)
    except EngineFault as fault:
        _refuse(fault, rule)
        if fault.reason in ("engine_status_404", "engine_status_405"):
            raise BackendError(
                f"no chat API there, or no model {rule.model!r} ({_status(fault)}): does `url` end in /v1?"
            ) from None
        raise


def _refuse(fault: EngineFault, rule: ArmRule) -> None:
    """Raises `BackendError` for what no waiting mends."""
    if fault.reason in ("engine_status_401", "engine_status_403"):
        mend = f"is {rule.token_env} right?" if rule.token_env else "name its variable as `token_env`"
        raise BackendError(f"the engine refuses the token ({_status(fault)}): {mend}") from None
    if fault.reason.startswith("engine_status_3"):
        raise BackendError(f"the engine redirects ({_status(fault)}): `url` must be its final address") from None


def _status(error: EngineFault | NotReplayable) -> str:
    return error.reason.removeprefix("engine_").replace("_", " ")


async def _scores(session: Session, rule: ArmRule, prompt_tokens: int | None) -> bool:
    """Whether the server tokenizes a conversation as its chat does, and scores the tokens that it is given."""
    try:
        await teacher.score(session, rule.model, HELLO, "Hi", prompt_tokens=prompt_tokens, tries=1)
    except (EngineFault, NotReplayable, Later):
        return False
    return prompt_tokens is not None
