"""The least that answers: Sanic and one asyncpg select of the same row, nobody authorised."""

import os
from uuid import UUID

import asyncpg
from pydantic_core import to_json
from sanic import HTTPResponse, Request, Sanic

app = Sanic("bare", configure_logging=False)
SELECT = """
SELECT id, project_id, filename, source, url, status, stages, problem, ingest_job_id, sha256,
       size_bytes, duration_s, frame_rate, width, height, vfr, media, created_at, updated_at
  FROM videos WHERE id = $1
"""


@app.before_server_start
async def connect(app: Sanic) -> None:
    app.ctx.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=10)


@app.get("/v1/videos/<video_id:uuid>")
async def get_video(request: Request, video_id: UUID) -> HTTPResponse:
    row = await request.app.ctx.pool.fetchrow(SELECT, video_id)
    return HTTPResponse(to_json(dict(row)), content_type="application/json")


@app.get("/readyz")
async def readyz(_: Request) -> HTTPResponse:
    return HTTPResponse(b"{}")


if __name__ == "__main__":
    app.config.ACCESS_LOG = False
    app.run("127.0.0.1", int(os.environ["CUTROOM_PORT"]), single_process=True, motd=False)
