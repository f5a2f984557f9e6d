include { EVALUATE } from '../modules/evaluate'

workflow EVALUATION {
    take:
    samples // [meta, annotation, fasta, labels, bundle, identity]
    kept    // a file in the folder that is kept from run to run, or []
    given   // files that options name
    flags

    main:
    EVALUATE(samples, kept, given, flags)
    evaluations = EVALUATE.out.evaluation

    emit:
    evaluations // [meta, folder]
}
