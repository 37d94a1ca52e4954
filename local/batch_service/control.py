"""The routes under `/_local/` that steer the service: clock, scenario, quota, journal, reset."""

from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.batch_service import json_text
from local.batch_service.errors import invalid_payload
from local.batch_service.paging import limit_of
from local.batch_service.scenario import Quota, Scenario
from local.batch_service.service import Service

QUOTAS = TypeAdapter(dict[str, Quota])
PAGE = 1000


class Control:
    """The steering routes of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """Return the routes, without their prefix."""
        return [
            Route("/clock", self._clock, methods=["GET"]),
            Route("/clock", self._advance, methods=["POST"]),
            Route("/scenario", self._scenario, methods=["GET"]),
            Route("/scenario", self._play, methods=["POST"]),
            Route("/scenario", self._clear_scenario, methods=["DELETE"]),
            Route("/quota", self._quota, methods=["GET"]),
            Route("/quota", self._set_quota, methods=["POST"]),
            Route("/journal", self._journal, methods=["GET"]),
            Route("/reset", self._reset, methods=["POST"]),
        ]

    async def _clock(self, request: Request) -> Response:
        clock = self._service.clock
        return JSONResponse({"now": clock.now(), "offset": clock.offset, "frozen": clock.frozen})

    async def _advance(self, request: Request) -> Response:
        body = await _json(request)
        seconds = body.get("advance") if isinstance(body, dict) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            raise invalid_payload('Post {"advance": seconds}, with seconds not below 0.')
        self._service.advance(seconds)
        return await self._clock(request)

    async def _scenario(self, request: Request) -> Response:
        return JSONResponse(self._service.scripts.current.scenario.model_dump(mode="json", exclude_defaults=True))

    async def _play(self, request: Request) -> Response:
        try:
            scenario = Scenario.model_validate(await _json(request))
        except ValidationError as error:
            raise invalid_payload(f"The scenario is not right: {faults_of(error)}") from None
        await run_in_threadpool(self._service.scripts.put, scenario)
        return await self._scenario(request)

    async def _clear_scenario(self, request: Request) -> Response:
        self._service.scripts.put(Scenario())
        return await self._scenario(request)

    async def _quota(self, request: Request) -> Response:
        limits = self._service.scripts.current.quota
        return JSONResponse({name: limit.model_dump() for name, limit in limits.items()})

    async def _set_quota(self, request: Request) -> Response:
        try:
            self._service.set_quota(QUOTAS.validate_python(await _json(request)))
        except ValidationError as error:
            raise invalid_payload(f"The quota is not right: {faults_of(error)}") from None
        return await self._quota(request)

    async def _journal(self, request: Request) -> Response:
        query = request.query_params
        limit = limit_of(query.get("limit"), PAGE, 100_000)
        after = [_number(query.get(name, "0"), name) for name in ("calls_after", "billed_after")]
        return JSONResponse(await run_in_threadpool(self._service.journal, after[0], after[1], limit))

    async def _reset(self, request: Request) -> Response:
        await run_in_threadpool(self._service.reset)
        return JSONResponse({"reset": True})


def faults_of(error: ValidationError) -> str:
    """Return what is wrong with a form, with the place of each fault."""
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'it'}: {fault['msg']}" for fault in error.errors(include_url=False)
    )


def _number(text: str, name: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise invalid_payload(f"{name} must be a whole number.")
    return int(text)


async def _json(request: Request) -> Any:
    try:
        return json_text.read(await request.body())
    except ValueError:
        raise invalid_payload("The request's body is not valid JSON.") from None
