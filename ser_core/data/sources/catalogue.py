"""The sources: title, address, licence, and how to get what cannot be downloaded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CorpusSource:
    """Source and licence of a corpus, shown before the download."""

    title: str
    home: str
    licence: str
    licence_url: str


CORPUS_SOURCES = {
    "ravdess": CorpusSource(
        "RAVDESS, speech and song",
        "https://zenodo.org/records/1188976",
        "CC BY-NC-SA 4.0: not for commercial use, share alike, name the authors",
        "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    ),
    "crema_d": CorpusSource(
        "CREMA-D",
        "https://github.com/CheyneyComputerScience/CREMA-D",
        "Open Database License 1.0: share alike, name the authors",
        "https://opendatacommons.org/licenses/odbl/1-0/",
    ),
    "tess": CorpusSource(
        "TESS",
        "https://doi.org/10.5683/SP2/E8H2MF",
        "CC BY-NC-ND 4.0: not for commercial use, no changed copies, name the authors",
        "https://creativecommons.org/licenses/by-nc-nd/4.0/",
    ),
    "hindi": CorpusSource(
        "Hindi speech emotion corpus",
        "https://github.com/Candyxoxo/Speech-Emotion-Recognition-Hindi",
        "for research and education: name the authors",
        "https://github.com/Candyxoxo/Speech-Emotion-Recognition-Hindi",
    ),
    "turev": CorpusSource(
        "TurEV-DB, Turkish",
        "https://github.com/Xeonen/TurEV-DB",
        "CC BY-NC-ND 4.0: not for commercial use, no changed copies, name the authors",
        "https://creativecommons.org/licenses/by-nc-nd/4.0/",
    ),
    "ased": CorpusSource(
        "ASED, Amharic",
        "https://github.com/Ethio2021/ASED_V1",
        "freely available: cite the paper, doi.org/10.1145/3529759",
        "https://github.com/Ethio2021/ASED_V1",
    ),
}
"""Corpora that can be downloaded."""
_UNPACK = "Unpack its archive into the folder of the corpora; the layout does not matter."
DOWNLOAD_INSTRUCTIONS = {
    "savee": f"To download SAVEE, register at http://kahlan.eps.surrey.ac.uk/savee/Download.html\n{_UNPACK}",
    "emovo": (
        "To download EMOVO (not for commercial use; Costantini et al. 2014), open\n"
        f"http://voice.fub.it/activities/corpora/emovo/index.html\n{_UNPACK}"
    ),
}
"""Corpora that can only be downloaded by hand: how."""
