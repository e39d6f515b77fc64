"""The page for trying the API out in a browser: Swagger UI, which loads nothing from elsewhere.

No script stands in the page itself, so that its Content-Security-Policy can forbid that.
"""

from functools import cache
from pathlib import Path

from aws_lambda_powertools.event_handler.openapi import swagger_ui

CONTENT_TYPE = "text/html; charset=utf-8"
_SCRIPT, _STYLE, _START = "swagger-ui-bundle.min.js", "swagger-ui.min.css", "start.js"
_CONTENT_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}

# Addresses are relative to the page's own, `docs`, wherever the API is.
HTML = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Order pipeline</title>
<link rel="stylesheet" href="docs/{_STYLE}">
<script src="docs/{_SCRIPT}" defer></script>
<script src="docs/{_START}" defer></script>
</head>
<body><div id="swagger-ui"></div></body>
</html>
"""
_START_SCRIPT = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
"""


@cache
def file(name: str) -> tuple[str, str] | None:
    """The content type and the text of one of the page's files; None if it has no file of that name."""
    if name == _START:
        text = _START_SCRIPT
    elif name in (_SCRIPT, _STYLE):
        text = Path(swagger_ui.__file__).with_name(name).read_text("utf-8")
    else:
        return None
    return _CONTENT_TYPES[Path(name).suffix], text
