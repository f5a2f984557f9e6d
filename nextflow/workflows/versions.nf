// Write which programs made the results.
workflow VERSIONS {
    channel.topic('versions')
        .mix(channel.of(['Nextflow', "${workflow.nextflow.version}"]))
        .map { program, version -> "${program}: ${version.tokenize(' ').last()}\n" }
        .unique()
        .collectFile(name: 'versions.yml', storeDir: "${params.outdir}/pipeline_info", sort: true)
}
