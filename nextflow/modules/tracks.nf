// Write a prediction's tracks for genome browsers.
process TRACKS {
    tag "${meta.id}"
    label 'process_single'
    container "histpred:${workflow.manifest.version}"

    input:
    tuple val(meta), path(prediction, stageAs: 'prediction'), path(fasta, stageAs: 'genome/*')
    path kept

    output:
    tuple val(meta), path("tracks/${meta.id}"), emit: tracks
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    """
    histpred tracks ${prediction} ${fasta} -o tracks/${meta.id} \\
        --cache "\$(dirname "\$(readlink -f ${kept ?: 'none'})")/genomes"
    """

    stub:
    """
    mkdir -p tracks/${meta.id}
    touch tracks/${meta.id}/hub.txt
    """
}
