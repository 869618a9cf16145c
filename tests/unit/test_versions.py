"""The pinned images: complete, in the form that the refresh writes, and refused by name where there is none."""

import re
from dataclasses import replace

import pytest

from components import versions
from components.errors import InputError
from components.hosts.args import Architecture
from components.versions import Image


def test_the_file_is_in_the_form_that_the_refresh_writes() -> None:
    assert versions.render(versions.load()) == versions.FILE.read_text(), "hand edits must survive a refresh unchanged"


def test_every_pinned_region_has_both_architectures_and_ids_of_their_own() -> None:
    images = versions.load()
    ids = [image.id for region in images.values() for image in region.values()]
    assert all(set(region) == set(Architecture) for region in images.values())
    assert len(ids) == len(set(ids)), "AMI ids are regional: one id in two places is a copying fault"
    assert all(re.fullmatch(r"ami-[0-9a-f]{17}", found) for found in ids)


def test_a_region_without_a_pinned_image_is_refused_with_the_way_out() -> None:
    with pytest.raises(InputError) as caught:
        versions.pinned_image(versions.load(), "xx-nowhere-1", Architecture.ARM64)
    text = str(caught.value)
    assert "image.id" in text and "xx-nowhere-1" in text
    assert "python -m components.versions refresh xx-nowhere-1" in text
    assert "us-east-1" in text, "the regions that are pinned help to choose"


def test_a_refresh_keeps_what_has_not_changed_and_dates_what_has() -> None:
    known = {
        "us-east-1": {
            Architecture.AMD64: Image("ami-same", "2026-01-01", verified=True, source="old"),
            Architecture.ARM64: Image("ami-old", "2026-01-01", verified=True, source="old"),
        }
    }

    def lookup(region: str, parameter: str) -> str:
        return "ami-same" if "amd64" in parameter and region == "us-east-1" else f"ami-{region}"

    found = versions.refreshed(known, ["eu-south-2"], lookup, "2026-11-23")
    assert found["us-east-1"][Architecture.AMD64].date == "2026-01-01", "an unchanged image is no diff"
    assert found["us-east-1"][Architecture.ARM64] == Image(
        "ami-us-east-1", "2026-11-23", True, "SSM " + versions.PARAMETER.format(architecture="arm64")
    )
    assert set(found["eu-south-2"]) == set(Architecture)


def test_an_id_that_was_not_verified_is_dated_anew_when_aws_confirms_it() -> None:
    known = {"r": {Architecture.AMD64: Image("ami-x", "2026-01-01", verified=False, source="a list")}}
    found = versions.refreshed(known, [], lambda _region, _parameter: "ami-x", "2026-11-23")
    assert found["r"][Architecture.AMD64].verified and found["r"][Architecture.AMD64].date == "2026-11-23"


def test_an_outdated_image_is_named_and_a_current_one_is_not() -> None:
    image = Image("ami-old", "2026-01-01", verified=True, source="")
    known = {"r": {Architecture.AMD64: image, Architecture.ARM64: replace(image, id="ami-arm64")}}
    lines = versions.outdated(known, lambda _region, parameter: "ami-arm64" if "arm64" in parameter else "ami-new")
    assert lines == ["r amd64: pinned ami-old of 2026-01-01, current ami-new"]


def test_check_says_by_its_status_that_there_is_news_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = versions.FILE.read_bytes()
    monkeypatch.setattr(versions, "_ssm", lambda region, parameter: f"ami-{region}-{'arm64' in parameter}")
    assert versions.main(["check"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == sum(len(region) for region in versions.load().values())
    current = {(r, a): image.id for r, region in versions.load().items() for a, image in region.items()}
    monkeypatch.setattr(
        versions, "_ssm", lambda region, parameter: current[region, Architecture(parameter.split("/")[-4])]
    )
    assert versions.main(["check"]) == 0
    assert versions.FILE.read_bytes() == before
