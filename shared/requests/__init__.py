"""Rows of a prompt file → batch requests, with the schema that each answer must fit.

layout         which columns mean what
conversation   the messages, from the row's prompt or the job's templates
formats        the answer's schema, and how a request asks for it
frame, frames  what requests share, serialised once
whole          batch requests that the file brings itself
plain          rows that are alike, some hundred at a time
builder        all of it, row by row or many at a time
"""

from shared.requests.builder import RequestBuilder

__all__ = ["RequestBuilder"]
