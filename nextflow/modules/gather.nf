include { launch_json } from '../functions/launch'
include { quoted      } from '../functions/quoted'

// Join the outputs of a sample's shards into the files that one `histpred predict` or `histpred variants` writes.
process GATHER {
    tag "${meta.id}"
    label 'process_single'
    container "histpred:${workflow.manifest.version}"

    input:
    tuple val(meta), path(scattered), path(bundle, stageAs: 'bundle'), path(parts, stageAs: 'parts/*'),
        path(fasta, stageAs: 'genome/*')
    path kept
    val about

    output:
    tuple val(meta), path("${meta.results}/${meta.id}"), emit: results
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    def launch = quoted(launch_json(about, task.container))
    // Effects of variants have no report, which needs the genome.
    def genome = fasta ? "--fasta ${fasta}" : ''
    """
    kept=\$(dirname "\$(readlink -f ${kept ?: 'none'})")
    histpred gather ${scattered} parts/* -o ${meta.results}/${meta.id} -t ${task.cpus} ${meta.source} ${genome} \\
        --cache "\$kept/genomes" --launched-by ${launch}
    """

    stub:
    """
    mkdir -p ${meta.results}/${meta.id}
    touch ${meta.results}/${meta.id}/ledger.tsv
    """
}
