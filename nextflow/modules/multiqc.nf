// Write MultiQC's report from the sections of all samples.
process MULTIQC {
    label 'process_single'
    container 'multiqc/multiqc:v1.35'
    conda 'bioconda::multiqc=1.35'

    input:
    path sections, stageAs: 'sections'

    output:
    path 'multiqc/multiqc_report.html', emit: report
    path 'multiqc/multiqc_data', emit: data
    tuple val('MultiQC'), eval('multiqc --version'), topic: versions

    script:
    """
    multiqc sections --outdir multiqc --title histpred --filename multiqc_report --no-ansi --no-version-check
    mv multiqc/multiqc_report_data multiqc/multiqc_data
    """

    stub:
    """
    mkdir -p multiqc/multiqc_data
    touch multiqc/multiqc_report.html
    """
}
