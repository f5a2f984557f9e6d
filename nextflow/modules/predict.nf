// Embed and score the windows of one shard.
process PREDICT {
    tag "${meta.id} ${meta.shard} ${meta.bases} bp"
    label 'process_gpu'
    // `nextflow inspect` has no sample.
    container "histpred:${workflow.manifest.version}${meta?.expensive ? '-train' : ''}"

    input:
    tuple val(meta), path(shard, stageAs: 'shard/*'), path(fasta, stageAs: 'genome/*'),
        path(bundle, stageAs: 'bundle'), val(identity)
    path kept
    path given, stageAs: 'given/*'
    val flags

    output:
    tuple val(meta), path("${shard.baseName}"), emit: part
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    def store = meta.expensive ? "--store \"\$kept/embeddings/${meta.genome}\"" : ''
    """
    kept=\$(dirname "\$(readlink -f ${kept ?: 'none'})")
    histpred predict ${shard} ${fasta} -o ${shard.baseName} -t ${task.cpus} ${meta.source} ${meta.window} ${flags} --cache "\$kept/genomes" --no-report ${store}
    """

    stub:
    """
    mkdir ${shard.baseName}
    touch ${shard.baseName}/scores.tsv.gz
    """
}
