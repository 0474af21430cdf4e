"""One streamed chat request to an OpenAI-compatible endpoint, with the standard library only."""

import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

SECONDS_OF_SILENCE = 180


class ChatError(Exception):
    """An endpoint that gave no answer."""


@dataclass
class Answer:
    """The text of an answer, and the headers it came with (names in lower case)."""

    text: str
    headers: dict[str, str]


@dataclass
class Endpoint:
    """Where to ask: a base URL with /v1, a model and a key."""

    base_url: str
    model: str
    key: str | None = None

    def ask(self, question: str, max_tokens: int, headers: dict[str, str] | None = None) -> Answer:
        """Asks at temperature 0 and reads the stream to its end."""
        options = {"max_tokens": max_tokens, "temperature": 0}
        while True:
            body = {"model": self.model, "messages": [{"role": "user", "content": question}], "stream": True}
            status, received, content = self._post(body | options, headers or {})
            if status == 200:
                return Answer(content, received)
            refused = next((name for name in options if status == 400 and name in content), None)
            if refused is None:
                raise ChatError(f"{self.base_url} answered {status}: {content[:500]}")
            # Some models take the first under another name and no temperature at all.
            value = options.pop(refused)
            if refused == "max_tokens" and "max_completion_tokens" in content:
                options["max_completion_tokens"] = value

    def _post(self, body: dict, headers: dict[str, str]) -> tuple[int, dict[str, str], str]:
        """Status, headers, and the answer's text or, where it is an error, the body."""
        address = urlsplit(self.base_url)
        # A connection for each request: some servers close it after a stream.
        if address.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(address.netloc, timeout=SECONDS_OF_SILENCE, context=context)
        else:
            connection = http.client.HTTPConnection(address.netloc, timeout=SECONDS_OF_SILENCE)
        headers = {"content-type": "application/json"} | headers
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        try:
            connection.request("POST", address.path.rstrip("/") + "/chat/completions", json.dumps(body), headers)
            response = connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            if response.status != 200:
                return response.status, received, response.read().decode("utf-8", "replace")
            return 200, received, "".join(text_pieces(response))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ChatError(f"no answer from {self.base_url}: {error or type(error).__name__}") from error
        finally:
            connection.close()


def text_pieces(lines: Iterator[bytes]) -> Iterator[str]:
    """The text in a stream of chat completion events."""
    for line in lines:
        field, _, value = line.decode("utf-8").strip().partition(":")
        if field != "data" or value.strip() == "[DONE]":
            continue
        event = json.loads(value)
        if "error" in event:
            raise ValueError(f"an error in the stream: {event['error']}")
        for choice in event.get("choices") or []:
            yield (choice.get("delta") or {}).get("content") or ""
