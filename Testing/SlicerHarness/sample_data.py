"""A stand-in for the module ``SampleData``, which loads samples from local files only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import slicer


@dataclass
class SampleDataSource:
    """A registered sample. The lists have one entry a file."""

    sampleName: str | None
    uris: list[str]
    fileNames: list[str]
    nodeNames: list[str]
    checksums: list[str | None]
    thumbnailFileName: str | None


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
        loadFileTypes: Any = None,
        loadFiles: Any = None,
        loadFileProperties: dict | None = None,
        checksums: str | list[str] | None = None,
        loadFileType: Any = None,
    ) -> None:
        """Add a sample to ``slicer.modules.sampleDataSources``, unless it is registered already.

        Raises ValueError if the lists do not have the same length.
        """
        files = [_list(uris), _list(fileNames), _list(nodeNames)]
        files.append([None] * len(files[0]) if checksums is None else _list(checksums))
        if len({len(entries) for entries in files}) != 1:
            raise ValueError("uris, fileNames, nodeNames and checksums must have the same length")
        source = SampleDataSource(sampleName, *files, thumbnailFileName)
        sources = slicer.modules.sampleDataSources.setdefault(category, [])
        if source not in sources:
            sources.append(source)

    def downloadSamples(self, sampleName: str) -> list[Any]:
        """Load a registered sample from its ``file:`` URIs and return its nodes."""
        everySource = [s for c in slicer.modules.sampleDataSources.values() for s in c]
        source = next(s for s in everySource if s.sampleName == sampleName)
        return [
            slicer.util.loadVolume(_localFile(uri), {"name": name})
            for uri, name in zip(source.uris, source.nodeNames, strict=True)
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
