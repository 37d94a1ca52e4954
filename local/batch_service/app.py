"""The web application: the API under its three prefixes, the steering routes, and the errors' envelope."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route

from local.batch_service import openai_platform, page
from local.batch_service.api import Api
from local.batch_service.calls import Calls, api_path
from local.batch_service.control import Control
from local.batch_service.errors import ServiceError, default_error, not_implemented
from local.batch_service.openapi import description
from local.batch_service.service import Service


def build_app(service: Service) -> Starlette:
    """Return the application that serves one service."""
    v1, dated = Api(service, dated=False).routes(), Api(service, dated=True).routes()
    app = Starlette(
        routes=[
            Mount("/openai/v1", routes=v1),
            Mount("/openai", routes=dated),
            Mount("/v1", routes=v1),
            Mount("/_local", routes=Control(service).routes()),
            Route("/openapi.json", _openapi),
            Route("/", _page),
        ],
        middleware=[Middleware(Calls, service=service)],
        exception_handlers={ServiceError: _refused, HTTPException: _http_error, Exception: _broken},
    )
    app.state.service = service
    return app


async def _page(request: Request) -> Response:
    return HTMLResponse(page.html(str(request.base_url).rstrip("/")))


async def _openapi(request: Request) -> Response:
    return JSONResponse(description())


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    openai = request.app.state.service.scripts.current.scenario.platform == "openai"
    body = openai_platform.error_body(error) if openai else error.body()
    return JSONResponse(body, error.status, headers=error.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = api_path(request.url.path)
    if error.status_code == 404 and path is not None and not path.startswith(("/files", "/batches", "/deployments")):
        return await _refused(request, not_implemented(f"'{request.method} {path}'"))
    refusal = default_error(error.status_code)
    if error.status_code not in (404, 405):
        refusal = ServiceError(error.status_code, "invalidPayload", str(error.detail))
    return JSONResponse(refusal.body(), error.status_code, headers=error.headers)


async def _broken(request: Request, error: Exception) -> Response:
    return await _refused(request, default_error(500))
