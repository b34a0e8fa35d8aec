"""Every weight file of the profile ``paper``: where it comes from, what it must be, its licence.

A size or sha256 stands here only where it is published, by the authors or by those who pinned the
same file; what is left out is pinned when the file first arrives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class File:
    """One file. ``sha256`` may be the first digits where only those are published (in its name).

    Of a checkpoint with an archive, ``member`` is the exact name inside it; otherwise ``url`` is
    the file's own address.
    """

    name: str
    url: str = ""
    member: str = ""
    bytes: int | None = None
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The files of one network. ``accept`` names the non-commercial licence to be accepted."""

    name: str
    purpose: str
    licence: str
    files: tuple[File, ...]
    archive: File | None = None
    accept: str = ""


def _one(name: str, purpose: str, licence: str, file: File, accept: str = "") -> Checkpoint:
    return Checkpoint(name=name, purpose=purpose, licence=licence, files=(file,), accept=accept)


def _web(*, url: str, bytes: int | None = None, sha256: str = "") -> File:
    """A file that has the name of its address."""
    return File(name=url.rpartition("/")[2], url=url, bytes=bytes, sha256=sha256)


def _hub(repository: str, revision: str, *files: File) -> tuple[File, ...]:
    """A model folder of the Hugging Face hub at a fixed revision."""
    base = f"https://huggingface.co/{repository}/resolve/{revision}"
    return tuple(replace(file, url=f"{base}/{file.name}") for file in files)


_CLIP = "https://openaipublic.azureedge.net/clip/models"
_FACEXLIB = "https://github.com/xinntao/facexlib/releases/download/v0.1.0"
_SAM = "https://dl.fbaipublicfiles.com/segment_anything"

TABLE: tuple[Checkpoint, ...] = (
    _one(
        "musiq-spaq",
        "image quality: MUSIQ trained on SPAQ",
        "Apache-2.0 (Google's MUSIQ), converted by pyiqa",
        _web(
            url="https://github.com/chaofengc/IQA-PyTorch/releases/download/v0.1-weights/"
            "musiq_spaq_ckpt-358bb6af.pth",
            bytes=108_610_983,
            sha256="358bb6af275e28ea56821d44fb55c6cb83645db11f394d3ad65b2d149965ab50",
        ),
    ),
    _one(
        "clip-vit-l-14",
        "aesthetic quality; object and background consistency: OpenAI CLIP ViT-L/14",
        "MIT",
        _web(
            url=f"{_CLIP}/b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836/"
            "ViT-L-14.pt",
            bytes=932_768_134,
            sha256="b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
        ),
    ),
    _one(
        "clip-vit-b-32",
        "object and background consistency: OpenAI CLIP ViT-B/32",
        "MIT",
        _web(
            url=f"{_CLIP}/40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/"
            "ViT-B-32.pt",
            bytes=353_976_522,
            sha256="40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
        ),
    ),
    _one(
        "laion-aesthetic",
        "aesthetic quality: LAION's linear head on CLIP ViT-L/14",
        "MIT",
        _web(
            url="https://raw.githubusercontent.com/LAION-AI/aesthetic-predictor/main/"
            "sa_0_4_vit_l_14_linear.pth",
            bytes=4_071,
            sha256="2cd4e60f4f24ae3bcd57b847b13c1f3ba27edc28cc1a7f9ce74ee9f421243cba",
        ),
    ),
    _one(
        "amt-s",
        "motion smoothness: frame interpolation AMT-S",
        "CC-BY-NC-4.0",
        _web(
            url="https://huggingface.co/lalala125/AMT/resolve/main/amt-s.pth",
            bytes=12_038_359,
            sha256="07e7e03405c213fe4405678db9b42d05671e48c56faf6a441b99bb0047d3cf77",
        ),
        accept="CC-BY-NC-4.0",
    ),
    Checkpoint(
        name="raft-things",
        purpose="dynamic degree: RAFT trained on FlyingThings",
        licence="BSD-3-Clause",
        archive=_web(
            url="https://dl.dropboxusercontent.com/s/4j4z58wuv8o0mfz/models.zip",
            sha256="4be6101b271f58ec49866da5cf609fd17e86e9cae2483f70630ef4a295dc66bd",
        ),
        files=(
            File(
                name="raft-things.pth",
                member="models/raft-things.pth",
                bytes=21_108_000,
                sha256="fcfa4125d6418f4de95d84aec20a3c5f4e205101715a79f193243c186ac9a7e1",
            ),
        ),
    ),
    _one(
        "raft-large-c-t-v1",
        "dynamic degree, alternative: torchvision's RAFT (Chairs and Things)",
        "BSD-3-Clause",
        _web(
            url="https://download.pytorch.org/models/raft_large_C_T_V1-22a6c225.pth",
            sha256="22a6c225",
        ),
    ),
    _one(
        "viclip-l-14",
        "text similarity: ViCLIP-L/14 trained on InternVid-10M-FLT",
        "Apache-2.0 (code); training data CC BY-NC-SA",
        _web(
            url="https://huggingface.co/OpenGVLab/VBench_Used_Models/resolve/main/"
            "ViClip-InternVid-10M-FLT.pth",
            bytes=1_710_545_812,
            sha256="7a4d6ad6eac6632db3693f4b97f9f8f6445b65b1e139a6fc6686150522238c56",
        ),
    ),
    Checkpoint(
        name="buffalo_l",
        purpose="ID consistency: insightface's SCRFD-10GF and ArcFace R50",
        licence="insightface: non-commercial research only",
        accept="insightface-non-commercial",
        archive=_web(
            url="https://github.com/deepinsight/insightface/releases/download/v0.7/buffalo_l.zip",
            bytes=288_621_354,
            sha256="80ffe37d8a5940d59a7384c201a2a38d4741f2f3c51eef46ebb28218a7b0ca2f",
        ),
        files=(
            File(
                name="det_10g.onnx",
                member="det_10g.onnx",
                bytes=16_923_827,
                sha256="5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91",
            ),
            File(
                name="w600k_r50.onnx",
                member="w600k_r50.onnx",
                bytes=174_383_860,
                sha256="4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
            ),
        ),
    ),
    _one(
        "facexlib-retinaface",
        "ID consistency, second recogniser: RetinaFace R50",
        "MIT",
        _web(
            url=f"{_FACEXLIB}/detection_Resnet50_Final.pth",
            bytes=109_497_761,
            sha256="6d1de9c2944f2ccddca5f5e010ea5ae64a39845a86311af6fdf30841b0a5a16d",
        ),
    ),
    _one(
        "facexlib-arcface",
        "ID consistency, second recogniser: ArcFace IR-SE50",
        "MIT",
        _web(
            url=f"{_FACEXLIB}/recognition_arcface_ir_se50.pth",
            sha256="a035c768259b98ab1ce0e646312f48b9e1e218197a0f80ac6765e88f8b6ddf28",
        ),
    ),
    _one(
        "curricularface-r101",
        "ID consistency, third recogniser: CurricularFace IR-101",
        "Apache-2.0 (its hub); trained on Glint360K: non-commercial research only",
        _web(
            url="https://huggingface.co/BestWishYsh/OpenS2V-Weight/resolve/main/"
            "glint360k_curricular_face_r101_backbone.bin",
            sha256="aa54ae6dc9f7ac6e262809f1a81d6108e221952bf836aee4cb677ef19246c6ec",
        ),
        accept="glint360k-non-commercial",
    ),
    Checkpoint(
        name="grounding-dino-tiny",
        purpose="object and background consistency: boxes by text, port in transformers",
        licence="Apache-2.0",
        files=_hub(
            "IDEA-Research/grounding-dino-tiny",
            "a2bb814dd30d776dcf7e30523b00659f4f141c71",
            File(
                name="model.safetensors",
                bytes=689_359_096,
                sha256="1a2412ef99bd74bcd3c2a246fa1e48581f8889a1300c9051974741314fc042f3",
            ),
            File(
                name="config.json",
                sha256="eec82c5ab66e16df12a9a212e68ac011779927c2536cf9078658e35d85f0c67a",
            ),
            File(
                name="preprocessor_config.json",
                sha256="8454179ba95e2ad22947835aad7b45862a601fc0055ab88bf1ee70892d3aea60",
            ),
            File(
                name="tokenizer.json",
                sha256="d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
            ),
            File(
                name="tokenizer_config.json",
                sha256="d40ab645b68211910b9170d22433d43186a6ec8ee6fd10ba170524b25bf4fb56",
            ),
            File(
                name="special_tokens_map.json",
                sha256="b6d346be366a7d1d48332dbc9fdf3bf8960b5d879522b7799ddba59e76237ee3",
            ),
            File(
                name="vocab.txt",
                sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            ),
        ),
    ),
    Checkpoint(
        name="sam-vit-base",
        purpose="object and background consistency: masks, port in transformers",
        licence="Apache-2.0",
        files=_hub(
            "facebook/sam-vit-base",
            "70c1a07f894ebb5b307fd9eaaee97b9dfc16068f",
            File(
                name="model.safetensors",
                bytes=374_979_480,
                sha256="892c410e496344e527255ccdcb2cb7244a609acb5389c7c4fdba1288f861c579",
            ),
            File(name="config.json"),
            File(name="preprocessor_config.json"),
        ),
    ),
    _one(
        "sam-vit-b",
        "object and background consistency, alternative: segment-anything ViT-B",
        "Apache-2.0",
        _web(
            url=f"{_SAM}/sam_vit_b_01ec64.pth",
            bytes=375_042_383,
            sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        ),
    ),
    _one(
        "sam-vit-h",
        "object and background consistency, alternative: segment-anything ViT-H",
        "Apache-2.0",
        _web(
            url=f"{_SAM}/sam_vit_h_4b8939.pth",
            bytes=2_564_550_879,
            sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        ),
    ),
    _one(
        "groundingdino-swint-ogc",
        "object and background consistency, alternative: GroundingDINO's own checkpoint",
        "Apache-2.0",
        _web(
            url="https://github.com/IDEA-Research/GroundingDINO/releases/download/v0.1.0-alpha/"
            "groundingdino_swint_ogc.pth",
            bytes=693_997_677,
            sha256="3b3ca2563c77c69f651d7bd133e97139c186df06231157a64c507099c52bc799",
        ),
    ),
    _one(
        "dino-vitb16",
        "subject consistency of VBench: DINO ViT-B/16",
        "Apache-2.0",
        _web(
            url="https://dl.fbaipublicfiles.com/dino/dino_vitbase16_pretrain/"
            "dino_vitbase16_pretrain.pth",
            bytes=343_242_485,
            sha256="bf34ad0f424b9029b593e8dc3ed553bf26e88bcba0d32bf3e62a6209cb64c85e",
        ),
    ),
    _one(
        "inception-fid",
        "FID: InceptionV3 of 2015 as TensorFlow published it, converted by pytorch-fid",
        "Apache-2.0",
        _web(
            url="https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
            "pt_inception-2015-12-05-6726825d.pth",
            bytes=95_628_359,
            sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        ),
    ),
)
