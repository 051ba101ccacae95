"""A stand-in for the module ``SampleData``, which loads samples from local files only."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import slicer

registered: list[dict[str, Any]] = []  # keyword arguments of each registration


class SampleDataLogic:
    @staticmethod
    def registerCustomSampleDataSource(
        category: str = "Custom",
        sampleName: str | None = None,
        uris: str | list[str] | None = None,
        fileNames: str | list[str] | None = None,
        nodeNames: str | list[str] | None = None,
        customDownloader: Any = None,
        thumbnailFileName: str | None = None,
        loadFileType: Any = None,
        loadFiles: Any = None,
        loadFileProperties: dict | None = None,
        checksums: str | list[str] | None = None,
    ) -> None:
        source = {k: v for k, v in locals().items() if v is not None}
        lengths = {len(_list(v)) for v in (uris, fileNames, nodeNames) if v is not None}
        if len(lengths) != 1:
            raise ValueError("uris, fileNames and nodeNames must have the same length")
        if uris is not None and checksums is not None and len(_list(checksums)) not in lengths:
            raise ValueError("there must be as many checksums as uris")
        registered.append(source)
        slicer.modules.sampleDataSources.setdefault(category, []).append(source)

    def downloadSamples(self, sampleName: str) -> list[Any]:
        """Load a registered sample from its ``file:`` URIs and return its nodes."""
        source = next(s for s in registered if s.get("sampleName") == sampleName)
        return [
            slicer.util.loadVolume(_localFile(uri), {"name": name})
            for uri, name in zip(_list(source["uris"]), _list(source["nodeNames"]), strict=True)
        ]


def downloadSample(sampleName: str) -> Any:
    return SampleDataLogic().downloadSamples(sampleName)[0]


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _localFile(uri: str) -> str:
    parts = urlparse(uri)
    if parts.scheme != "file":
        raise OSError(f"the harness has no network: {uri}")
    return url2pathname(parts.path)
