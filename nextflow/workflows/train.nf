include { TRAIN    } from '../modules/train'
include { EVALUATE } from '../modules/evaluate'

workflow TRAINING {
    take:
    samples // [meta, annotation, fasta, labels, bundle of the encoder, identity]
    kept    // a file in the folder that is kept from run to run, or []
    given   // [verb: files that its options name]
    flags   // [verb: its options]

    main:
    TRAIN(
        samples.map { meta, annotation, fasta, labels, bundle, identity ->
            [meta + [source: params.from == null ? meta.source : "--from ${meta.source - '--bundle '}".toString()], annotation, fasta, labels, bundle, identity]
        },
        kept,
        given.train,
        flags.train,
    )

    trained = samples
        .map { meta, annotation, fasta, labels, _bundle, _identity -> [meta.id, annotation, fasta, labels] }
        .join(TRAIN.out.bundle.map { meta, bundle -> [meta.id, meta, bundle] })
        .map { _id, annotation, fasta, labels, meta, bundle ->
            [meta + [source: '--bundle ./bundle'], annotation, fasta, labels, bundle, 'trained here']
        }
    EVALUATE(trained, kept, given.evaluate, flags.evaluate)
    bundles = TRAIN.out.bundle
    evaluations = EVALUATE.out.evaluation

    emit:
    bundles     // [meta, folder]
    evaluations // [meta, folder]
}
