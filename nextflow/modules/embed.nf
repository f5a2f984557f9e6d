// Embed the windows of one shard into the store, for the training or evaluation that follows.
process EMBED {
    tag "${meta.id} ${meta.shard} ${meta.bases} bp"
    label 'process_gpu'
    container "histpred:${workflow.manifest.version}-train"

    input:
    tuple val(meta), path(shard, stageAs: 'shard/*'), path(fasta, stageAs: 'genome/*'),
        path(bundle, stageAs: 'bundle'), val(identity)
    path kept
    path given, stageAs: 'given/*'
    val flags

    output:
    val meta, emit: done
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    """
    kept=\$(dirname "\$(readlink -f ${kept ?: 'none'})")
    histpred embed ${shard} ${fasta} -t ${task.cpus} --store "\$kept/embeddings/${meta.genome}" ${meta.source} ${flags} \\
        --cache "\$kept/genomes"
    """

    stub:
    """
    true
    """
}
