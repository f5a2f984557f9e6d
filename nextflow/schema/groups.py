"""The groups of the schema, with the parameters that belong to the pipeline alone.

make.py adds the options of the command line to these groups, and documents the keywords `x-...`.
"""

from __future__ import annotations

from typing import Any

from histpred.encoders import ENCODERS
from histpred.encoders.published import PUBLISHED

SAFE_NAME = "^[A-Za-z0-9][A-Za-z0-9._+-]*$"
REGISTRY = "^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*$"

Property = dict[str, Any]

# group: (title, description, {parameter: property})
GROUPS: dict[str, tuple[str, str, dict[str, Property]]] = {
    "inputs": (
        "Mode, inputs and results",
        "One sample from parameters, or several samples from a samplesheet.",
        {
            "mode": {
                "type": "string",
                "default": "predict",
                "enum": ["predict", "train", "evaluate", "experiment", "variants"],
                "description": "What to do: predict marks, train a bundle, evaluate one, run an "
                "experiment, or score variants.",
            },
            "sheet": {
                "type": "string",
                "format": "file-path",
                "exists": True,
                "x-value": "FILE.yaml",
                "x-modes": ["experiment"],
                "description": "Sheet of 'histpred experiment'; its genomes are the rows of the "
                "samplesheet. Files that it names are in its folder or have absolute paths.",
            },
            "input": {
                "type": "string",
                "format": "file-path",
                "exists": True,
                "mimetype": "text/csv",
                "x-value": "FILE.csv",
                "description": "Samplesheet with the columns sample, annotation, fasta and, where "
                "needed, labels, vcf and bundle. Relative paths start at its folder.",
            },
            "annotation": {
                "type": "string",
                "format": "file-path",
                "exists": True,
                "x-value": "FILE",
                "description": "Annotation of the genes: BED, GTF or GFF3.",
                "help_text": "Not needed with --regions, --sequences, or --tile on whole contigs.",
            },
            "regions": {
                "type": "string",
                "x-value": "REGION[ REGION...]",
                "x-modes": ["predict", "variants"],
                "description": "Regions in place of the annotation, separated by blanks, such as "
                "chr22:20,100,000-20,104,000; scored as intervals.",
            },
            "fasta": {
                "type": "string",
                "format": "file-path",
                "exists": True,
                "x-value": "FILE",
                "description": "Genome of the same assembly.",
            },
            "labels": {
                "type": "string",
                "format": "path",
                "exists": True,
                "x-value": "PATH",
                "x-modes": ["train", "evaluate", "experiment"],
                "description": "Folder of 'histpred labels', or a table of genes and marks.",
            },
            "vcf": {
                "type": "string",
                "format": "file-path",
                "exists": True,
                "x-value": "FILE",
                "x-modes": ["variants"],
                "description": "Variants: a sorted VCF or BCF of the same assembly.",
            },
            "sample": {
                "type": "string",
                "pattern": SAFE_NAME,
                "x-value": "NAME",
                "description": "Name of the results.",
                "help_text": "Default: the file name of the annotation, or of the VCF, up to the "
                "first dot.",
            },
            "pool": {
                "type": "string",
                "pattern": SAFE_NAME,
                "x-value": "NAME",
                "x-modes": ["train", "evaluate"],
                "description": "Train one bundle of this name on all samples, each a genome, or "
                "evaluate a bundle on all of them together.",
            },
            "outdir": {
                "type": "string",
                "format": "directory-path",
                "default": "results",
                "x-value": "DIR",
                "x-made": True,
                "description": "Folder for the results.",
            },
            "tracks": {
                "type": "boolean",
                "default": False,
                "x-modes": ["predict"],
                "description": "Also write tracks for genome browsers (histpred tracks).",
            },
            "multiqc": {
                "type": "boolean",
                "default": False,
                "x-modes": ["predict", "train", "evaluate", "variants"],
                "description": "Also write MultiQC's report of all samples; needs 'multiqc' on "
                "PATH or a container.",
            },
        },
    ),
    "models": (
        "Bundles and encoders",
        "Models that embed and score the windows.",
        {
            "bundle": {
                "type": "string",
                "x-value": "NAME|DIR",
                "description": "Bundle that predicts or is evaluated: name of a shipped one, or "
                "a folder. For training, it names encoder, chunks and windows.",
                "help_text": "Default: human-promoter for predict and variants; --encoder for "
                "train.",
            },
            "from": {
                "type": "string",
                "x-value": "NAME|DIR",
                "x-modes": ["train"],
                "description": "Bundle of 'histpred train' to start from (fine-tuning), for all "
                "samples. It fixes the network, the encoder and the window.",
                "help_text": "Default: train anew.",
            },
            "encoder": {
                "type": "string",
                "pattern": SAFE_NAME,
                "x-names": [*(encoder.name for encoder in PUBLISHED), *ENCODERS],
                "x-value": "NAME",
                "x-modes": ["train"],
                "description": "For training, in place of a bundle: published encoder (histpred "
                "encoders list) or 'kmer'.",
                "help_text": "Default: kmer.",
            },
            "store": {
                "type": "string",
                "format": "directory-path",
                "x-value": "DIR",
                "x-made": True,
                "x-kept": True,
                "description": "Folder that keeps embeddings for later runs.",
                "help_text": "Default: in the work directory.",
            },
        },
    ),
    "windows": ("Rows and windows", "Which rows of the annotation are read, and how.", {}),
    "computing": (
        "Computing",
        "How the work is split. Profiles choose where it runs.",
        {
            "skip_failed": {
                "type": "boolean",
                "default": False,
                "description": "If a sample fails, finish the others first. The run still ends "
                "with an error.",
            },
            "registry": {
                "type": "string",
                "pattern": REGISTRY,
                "x-value": "HOST/PATH",
                "description": "With a container profile: registry of the images, such as "
                "registry.example.org/lab.",
                "help_text": "Default: the images on this machine.",
            },
            "gpus": {
                "type": "integer",
                "minimum": 1,
                "x-value": "N",
                "description": "With -profile gpu: largest number of GPU tasks at a time on this "
                "machine.",
                "help_text": "Default: no limit.",
            },
            "queue": {
                "type": "string",
                "x-value": "NAME",
                "description": "With -profile slurm or awsbatch: queue or partition.",
                "help_text": "Default: the cluster's.",
            },
            "gpu_queue": {
                "type": "string",
                "x-value": "NAME",
                "description": "With -profile slurm,gpu or awsbatch,gpu: queue or partition of GPU "
                "tasks.",
                "help_text": "Default: that of all tasks.",
            },
            "gres": {
                "type": "string",
                "default": "gpu:1",
                "x-value": "GRES",
                "description": "With -profile slurm,gpu: resource of a GPU task: gpu:1, "
                "gpu:a100:1, or shard:1 if tasks may share a GPU.",
            },
            "cluster_options": {
                "type": "string",
                "x-value": "OPTIONS",
                "description": "Further options of the cluster's submit command, such as "
                "--cluster_options='--account=NAME'.",
            },
        },
    ),
    "training": ("Training", "Options of --mode train.", {}),
    "evaluation": (
        "Evaluation",
        "Options of --mode evaluate, and of the evaluation after a training.",
        {},
    ),
    "variants": ("Variants", "Options of --mode variants.", {}),
    "other": (
        "Other",
        "Options of the pipeline itself.",
        {
            "help": {
                "type": "boolean",
                "default": False,
                "description": "Show the parameters and exit.",
            }
        },
    ),
}
