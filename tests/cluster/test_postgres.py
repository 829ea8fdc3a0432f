"""The store as Kubernetes wires it: an address whose password is in the environment, or one elsewhere in a secret."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from cluster.checks import kubernetes
from cluster.checks.parts import Missing
from serve_app.store import Store, StoreError
from tests.serve_app.databases import postgres

__all__ = ["postgres"]

ROOT = Path(__file__).resolve().parents[2]


async def test_the_password_comes_out_of_the_environment(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url: str = request.getfixturevalue("postgres")
    import asyncpg  # an extra, which the fixture has asked for

    folder = Path(parse_qs(urlsplit(url).query)["host"][0])
    base = await asyncpg.connect(url)
    await base.execute("alter role avatar password 'only in the secret'")
    (folder / "data" / "pg_hba.conf").write_text("local all all scram-sha-256\n")
    await base.execute("select pg_reload_conf()")
    await base.close()

    monkeypatch.setenv("PGPASSWORD", "another one")
    stranger = Store(url)
    with pytest.raises(StoreError):
        await stranger.open()
    await stranger.close()

    monkeypatch.setenv("PGPASSWORD", "only in the secret")
    store = Store(url)
    await store.open()
    assert await store.begin("s", "gateway-1", {}) == 1
    await store.close()
    assert "only in the secret" not in str(store)


def test_a_database_elsewhere_is_named_in_the_secret_and_needs_no_pod(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "cluster", tmp_path / "cluster", ignore=shutil.ignore_patterns("__pycache__"))
    for overlay in ("dev", "scale-to-zero"):
        shutil.rmtree(tmp_path / "cluster/kubernetes/overlays" / overlay)
    overlay = tmp_path / "cluster/kubernetes/overlays/l4/kustomization.yaml"
    kustomization = yaml.safe_load(overlay.read_text("utf-8"))
    assert kustomization.pop("components") == ["../../postgres"]
    overlay.write_text(yaml.safe_dump(kustomization), "utf-8")
    secret = tmp_path / kubernetes.SECRETS
    text = secret.read_text("utf-8")
    written = text.replace("# AVATAR_STORE__URL: ", "AVATAR_STORE__URL: ").replace('  PGPASSWORD: ""', "  # PGPASSWORD")
    secret.write_text(written, "utf-8")
    assert "\n  AVATAR_STORE__URL: postgresql://USER:PASSWORD@HOST/NAME" in written
    try:
        assert list(kubernetes.check(tmp_path)) == []
    except Missing as missing:
        pytest.skip(str(missing))
