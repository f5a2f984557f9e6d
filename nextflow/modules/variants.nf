// Score what each allele of one shard of a VCF changes in the windows that read it.
process VARIANTS {
    tag "${meta.id} ${meta.shard} ${meta.alleles} alleles"
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
    tuple val(meta), path("${meta.name}"), emit: part
    tuple val('histpred'), eval('histpred --version'), topic: versions

    script:
    def store = meta.expensive ? "--store \"\$kept/embeddings/${meta.genome}\"" : ''
    """
    kept=\$(dirname "\$(readlink -f ${kept ?: 'none'})")
    histpred variants shard/${meta.name}.vcf.gz shard/${meta.name}.tsv ${fasta} -o ${meta.name} -t ${task.cpus} ${meta.source} ${meta.window} ${flags} --cache "\$kept/genomes" ${store}
    """

    stub:
    """
    mkdir ${meta.name}
    touch ${meta.name}/effects.tsv.gz
    """
}
