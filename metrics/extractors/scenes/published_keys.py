"""From the keys of GroundingDINO's and segment-anything's own files to those of the hub's folders.

transformers runs both networks; a folder of the hub holds the same tensors under other names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

Renames = tuple[tuple[str, str], ...]
"""Regular expressions and what takes their place, applied in order.

A name that ends up with ``{}`` is that of three tensors in one: query, key and value.
"""

_SWIN = r"^backbone\.conv_encoder\.model"

GROUNDING_DINO: Renames = (
    (r"^bert\.", "text_backbone."),
    (r"^feat_map\.", "text_projection."),
    (r"^input_proj\.", "input_proj_vision."),
    (r"^transformer\.tgt_embed\.", "query_position_embeddings."),
    (r"^transformer\.enc_out_bbox_embed\.", "encoder_output_bbox_embed."),
    (r"^transformer\.", ""),
    (r"^backbone\.0\.", "backbone.conv_encoder.model."),
    (rf"({_SWIN})\.patch_embed\.norm", r"\1.embeddings.norm"),
    (rf"({_SWIN})\.patch_embed\.proj", r"\1.embeddings.patch_embeddings.projection"),
    (rf"({_SWIN})\.layers", r"\1.encoder.layers"),
    (rf"({_SWIN})\.norm1\.", r"\1.hidden_states_norms.stage2."),
    (rf"({_SWIN})\.norm2\.", r"\1.hidden_states_norms.stage3."),
    (rf"({_SWIN})\.norm3\.", r"\1.hidden_states_norms.stage4."),
    (r"(blocks\.\d+)\.norm1", r"\1.layernorm_before"),
    (r"(blocks\.\d+)\.norm2", r"\1.layernorm_after"),
    (r"(blocks\.\d+)\.attn\.relative", r"\1.attention.self.relative"),
    (r"(blocks\.\d+)\.attn\.qkv\.", r"\1.attention.self.{}."),
    (r"(blocks\.\d+)\.attn\.proj", r"\1.attention.output.dense"),
    (r"(blocks\.\d+)\.mlp\.fc1", r"\1.intermediate.dense"),
    (r"(blocks\.\d+)\.mlp\.fc2", r"\1.output.dense"),
    (
        r"^encoder\.text_layers\.(\d+)\.norm1",
        r"encoder.layers.\1.text_enhancer_layer.layer_norm_before",
    ),
    (
        r"^encoder\.text_layers\.(\d+)\.norm2",
        r"encoder.layers.\1.text_enhancer_layer.layer_norm_after",
    ),
    (r"^encoder\.text_layers\.(\d+)", r"encoder.layers.\1.text_enhancer_layer"),
    (r"(text_enhancer_layer)\.norm1", r"\1.layer_norm_before"),
    (r"(text_enhancer_layer)\.norm2", r"\1.layer_norm_after"),
    (r"(text_enhancer_layer)\.linear", r"\1.fc"),
    (r"^encoder\.fusion_layers\.(\d+)", r"encoder.layers.\1.fusion_layer"),
    (r"(fusion_layer)\.gamma_v", r"\1.vision_param"),
    (r"(fusion_layer)\.gamma_l", r"\1.text_param"),
    (r"(fusion_layer\..*)_v(_proj|\.)", r"\1_vision\2"),
    (r"(fusion_layer\..*)_l(_proj|\.)", r"\1_text\2"),
    (r"(fusion_layer\.attn)\.v_proj", r"\1.vision_proj"),
    (r"(fusion_layer\.attn)\.l_proj", r"\1.text_proj"),
    (r"^(encoder\.layers\.\d+)\.norm1", r"\1.deformable_layer.self_attn_layer_norm"),
    (r"^(encoder\.layers\.\d+)\.norm2", r"\1.deformable_layer.final_layer_norm"),
    (r"^(encoder\.layers\.\d+)\.linear", r"\1.deformable_layer.fc"),
    (r"^(encoder\.layers\.\d+)\.self_attn", r"\1.deformable_layer.self_attn"),
    (r"^(decoder\.layers\.\d+)\.norm1", r"\1.encoder_attn_layer_norm"),
    (r"^(decoder\.layers\.\d+)\.norm2", r"\1.self_attn_layer_norm"),
    (r"^(decoder\.layers\.\d+)\.norm3", r"\1.final_layer_norm"),
    (r"^(decoder\.layers\.\d+)\.catext_norm", r"\1.encoder_attn_text_layer_norm"),
    (r"^(decoder\.layers\.\d+)\.ca_text", r"\1.encoder_attn_text"),
    (r"^(decoder\.layers\.\d+)\.cross_attn", r"\1.encoder_attn"),
    (r"^(decoder\.layers\.\d+)\.linear", r"\1.fc"),
    (r"^decoder\.norm\.", "decoder.layer_norm."),
    (r"^decoder\.ref_point_head\.", "decoder.reference_points_head."),
    (r"\.in_proj_(weight|bias)$", r".{}.\1"),
    (r"^(?!bbox_embed)", "model."),
)

GROUNDING_DINO_UNUSED = ("label_enc.", "bert.pooler.", "bert.embeddings.position_ids")
"""Starts of keys that the published file holds and no forward reads."""

_HEAD = r"(output_hypernetworks_mlps\.\d+|iou_prediction_head)\.layers"

SAM: Renames = (
    (r"^image_encoder\.blocks", "vision_encoder.layers"),
    (r"^image_encoder\.neck\.0", "vision_encoder.neck.conv1"),
    (r"^image_encoder\.neck\.1", "vision_encoder.neck.layer_norm1"),
    (r"^image_encoder\.neck\.2", "vision_encoder.neck.conv2"),
    (r"^image_encoder\.neck\.3", "vision_encoder.neck.layer_norm2"),
    (r"^image_encoder\.patch_embed\.proj", "vision_encoder.patch_embed.projection"),
    (r"^image_encoder", "vision_encoder"),
    (r"(layers\.\d+)\.norm(\d)", r"\1.layer_norm\2"),
    (r"\.norm_final_attn", ".layer_norm_final_attn"),
    (
        r"^prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix",
        "shared_image_embedding.positional_embedding",
    ),
    (r"\.point_embeddings\.", ".point_embed."),
    (r"\.mask_downscaling\.0", ".mask_embed.conv1"),
    (r"\.mask_downscaling\.1", ".mask_embed.layer_norm1"),
    (r"\.mask_downscaling\.3", ".mask_embed.conv2"),
    (r"\.mask_downscaling\.4", ".mask_embed.layer_norm2"),
    (r"\.mask_downscaling\.6", ".mask_embed.conv3"),
    (r"\.output_upscaling\.0", ".upscale_conv1"),
    (r"\.output_upscaling\.1", ".upscale_layer_norm"),
    (r"\.output_upscaling\.3", ".upscale_conv2"),
    (rf"{_HEAD}\.0", r"\1.proj_in"),
    (rf"{_HEAD}\.2", r"\1.proj_out"),
    (rf"{_HEAD}\.1", r"\1.layers.0"),
)


def renamed(state: Mapping[str, Tensor], renames: Renames) -> dict[str, Tensor]:
    """The same tensors under their other names; one that holds three becomes three."""
    named = {}
    for key, tensor in state.items():
        name = key
        for pattern, replacement in renames:
            name = re.sub(pattern, replacement, name)
        if "{}" in name:
            parts = zip(("query", "key", "value"), tensor.chunk(3), strict=True)
            named.update({name.format(part): values for part, values in parts})
        else:
            named[name] = tensor
    return named


def sam_sizes(state: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """The sizes of a segment-anything network, read from its tensors, as ``SamConfig`` takes them.

    A layer with short position tables sees windows; the others see the whole picture. The decoder's
    8 heads are in no tensor. Raises ``KeyError`` for the tensors of another network.
    """
    encoder, decoder = "image_encoder", "mask_decoder.transformer.layers"
    width, channels, patch_px, _ = state[f"{encoder}.patch_embed.proj.weight"].shape
    side = state[f"{encoder}.pos_embed"].shape[1]
    tables = [v for k, v in state.items() if k.endswith("attn.rel_pos_h")]
    spans = [(len(table) + 1) // 2 for table in tables]
    output = len(state[f"{encoder}.neck.0.weight"])
    picture = {"image_size": side * patch_px, "patch_size": patch_px}
    return {
        "vision_config": {
            **picture,
            "hidden_size": width,
            "num_channels": channels,
            "output_channels": output,
            "num_pos_feats": output // 2,
            "num_hidden_layers": len(tables),
            "num_attention_heads": width // tables[0].shape[1],
            "mlp_dim": len(state[f"{encoder}.blocks.0.mlp.lin1.weight"]),
            "window_size": min(spans),
            "global_attn_indexes": [i for i, span in enumerate(spans) if span == side],
        },
        "prompt_encoder_config": {
            **picture,
            "hidden_size": output,
            "mask_input_channels": len(state["prompt_encoder.mask_downscaling.3.weight"]),
        },
        "mask_decoder_config": {
            "hidden_size": output,
            "mlp_dim": len(state[f"{decoder}.0.mlp.lin1.weight"]),
            "num_hidden_layers": sum(
                k.endswith("mlp.lin1.weight") and k.startswith(decoder) for k in state
            ),
            "iou_head_hidden_dim": len(state["mask_decoder.iou_prediction_head.layers.0.weight"]),
        },
    }
