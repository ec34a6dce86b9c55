"""The same list written as its authors' guides do: FastAPI, SQLAlchemy's async ORM, uvicorn.

It verifies the same token, checks the same membership, counts the same rows, answers the same body.
"""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import jwt
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

app = FastAPI()
engine = create_async_engine(os.environ["SQLALCHEMY_URL"], pool_size=10)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSONB}


class Membership(Base):
    __tablename__ = "memberships"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    user_id: Mapped[UUID]
    role: Mapped[str]
    status: Mapped[str]


class Project(Base):
    __tablename__ = "projects"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]


class Video(Base):
    __tablename__ = "videos"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    project_id: Mapped[UUID]
    filename: Mapped[str]
    source: Mapped[str]
    url: Mapped[str | None]
    status: Mapped[str]
    stages: Mapped[dict[str, Any]]
    problem: Mapped[dict[str, Any] | None]
    ingest_job_id: Mapped[UUID | None]
    sha256: Mapped[str | None]
    size_bytes: Mapped[int | None]
    duration_s: Mapped[float | None]
    frame_rate: Mapped[str | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    vfr: Mapped[bool | None]
    media: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class VideoOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID
    project_id: UUID
    filename: str
    source: str
    url: str | None
    status: str
    stages: dict[str, Any]
    problem: dict[str, Any] | None
    ingest_job_id: UUID | None
    sha256: str | None
    size_bytes: int | None
    duration_s: float | None
    frame_rate: str | None
    width: int | None
    height: int | None
    vfr: bool | None
    media: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


class Pagination(BaseModel):
    limit: int
    offset: int
    total: int
    has_more: bool
    next_offset: int | None


class Videos(BaseModel):
    items: list[VideoOut]
    count: int
    pagination: Pagination


async def session_of() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(session_of)]


async def member_of(
    session: Session, authorization: Annotated[str, Header()], x_org_id: Annotated[UUID, Header()]
) -> Membership:
    claims = jwt.decode(
        authorization.removeprefix("Bearer "), os.environ["CUTROOM_SECRET"], ["HS256"],
        audience="cutroom-api", issuer="cutroom",
    )  # fmt: skip
    found = await session.scalar(
        select(Membership).where(
            Membership.user_id == UUID(claims["sub"]), Membership.organization_id == x_org_id
        )
    )
    if found is None or found.status != "active":
        raise HTTPException(404)
    return found


@app.get("/v1/projects/{project_id}/videos")
async def list_videos(
    project_id: UUID,
    session: Session,
    member: Annotated[Membership, Depends(member_of)],
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Videos:
    project = await session.get(Project, project_id)
    if project is None or project.organization_id != member.organization_id:
        raise HTTPException(404)
    ours = select(Video).where(
        Video.organization_id == member.organization_id, Video.project_id == project_id
    )
    total = await session.scalar(select(func.count()).select_from(ours.subquery())) or 0
    newest = ours.order_by(Video.created_at.desc(), Video.id).limit(limit).offset(offset)
    rows = (await session.scalars(newest)).all()
    following = offset + len(rows)
    return Videos(
        items=[VideoOut.model_validate(row) for row in rows],
        count=len(rows),
        pagination=Pagination(
            limit=limit, offset=offset, total=total, has_more=following < total,
            next_offset=following if following < total else None,
        ),
    )  # fmt: skip


@app.get("/readyz")
async def readyz() -> dict[str, str]:
    return {}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["CUTROOM_PORT"]), access_log=False,
                log_level="warning")  # fmt: skip
