include { VARIANTS } from '../modules/variants'

// Return the kind of encoder that a bundle has. BUNDLE has read the manifest before.
def encoder_of(source, bundle) {
    def shipped = { name -> file("${workflow.projectDir}/histpred/bundle/shipped/${name}", glob: false) }
    def folder = bundle instanceof Path ? bundle : shipped.call(source - '--bundle ')
    return new groovy.json.JsonSlurper().parse(folder.resolve('bundle.json')).encoder.kind
}

workflow EFFECTS {
    take:
    samples // [meta, annotation, fasta, VCF, bundle, identity]
    kept    // a file in the folder that is kept from run to run, or []
    given   // files that options name
    flags
    large   // kinds of encoders that need torch

    main:
    VARIANTS(
        samples.map { sample ->
            def meta = sample[0]
            [meta + [expensive: encoder_of(meta.source, sample[4]) in large]] + sample.drop(1)
        },
        kept,
        given,
        flags,
    )
    effects = VARIANTS.out.effects

    emit:
    effects // [meta, folder]
}
