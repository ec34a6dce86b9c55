"""Asking an OpenAI-compatible endpoint, with an ear open for a cancellation."""

import json
import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx

from ray_jobs.attending import attended
from ray_jobs.contract import WriterEndpoint
from ray_jobs.failures import Failure

CHAT_KEY_VARIABLE = "CUTROOM_LLM_KEY"
TIMEOUT_S = 180.0
TOO_MANY = 429


def posted(
    url: str,
    body: Mapping[str, Any],
    *,
    key_variable: str,
    failure: str,
    tick: Callable[[], None],
    timeout_s: float = TIMEOUT_S,
) -> httpx.Response:
    """The answer to a POST of JSON; `tick` is called several times a second and may raise.

    The key is that of the worker's environment, so that no job holds a secret.

    Raises
    ------
    Failure
        `failure`, worth a retry where the endpoint is not there or overloaded.
    """
    key = os.environ.get(key_variable)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    ask = partial(httpx.post, url, json=body, headers=headers, timeout=timeout_s)
    try:
        return attended(ask, tick).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        said = f"answered {status}" if status else "could not be reached"
        raise Failure(
            failure, f"The endpoint {url} {said}; check its address and {key_variable}.",
            retryable=status is None or status >= 500 or status == TOO_MANY,
        ) from error  # fmt: skip


def chat(
    endpoint: WriterEndpoint,
    instructions: str,
    material: str,
    *,
    failure: str,
    tick: Callable[[], None],
    timeout_s: float = TIMEOUT_S,
) -> Any:
    """The JSON that a chat endpoint answers with, unchecked; None where it answers with none.

    Raises
    ------
    Failure
        `failure`, as of `posted`.
    """
    body = {
        "model": endpoint.model,
        "temperature": 0,
        "response_format": {"type": "json_object"},
        "messages": [
            {"role": "system", "content": instructions},
            {"role": "user", "content": material},
        ],
    }
    answer = posted(
        endpoint.url.rstrip("/") + "/chat/completions", body,
        key_variable=CHAT_KEY_VARIABLE, failure=failure, tick=tick, timeout_s=timeout_s,
    )  # fmt: skip
    try:
        content = answer.json()["choices"][0]["message"]["content"]
        # Models wrap what they were asked for in a fence, or in a sentence.
        fenced = re.search(r"\{.*\}", content, re.S)
        return json.loads(fenced.group() if fenced else content)
    except (KeyError, IndexError, TypeError, ValueError, RecursionError):
        return None
