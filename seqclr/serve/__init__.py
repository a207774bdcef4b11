"""The HTTP server of readers (Starlette and uvicorn, extra `serve`).

The event loop receives requests and sends responses. Each reader has one thread, which decodes images and predicts
them in batches (`batcher`). `protocols` holds the endpoints, `reload` replaces readers whose folder has changed,
`keeper` writes images with feedback, `drift` reports that a site has changed.
"""
