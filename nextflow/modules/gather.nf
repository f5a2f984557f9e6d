include { launch_json } from '../functions/launch'
include { quoted      } from '../functions/quoted'

// Join the predictions of a sample's shards into the files that one `histpred predict` writes.
process GATHER {
    tag "${meta.id}"
    label 'process_single'
    container "histpred:${workflow.manifest.version}"

    input:
    tuple val(meta), path(scattered), path(bundle, stageAs: 'bundle'), path(parts, stageAs: 'parts/*')
    val about

    output:
    tuple val(meta), path("predictions/${meta.id}"), emit: prediction
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    def launch = quoted(launch_json(about, task.container))
    """
    histpred gather ${scattered} parts/* -o predictions/${meta.id} ${meta.source} --launched-by ${launch}
    """

    stub:
    """
    mkdir -p predictions/${meta.id}
    touch predictions/${meta.id}/scores.tsv.gz
    """
}
