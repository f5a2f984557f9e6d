include { EVALUATE } from '../modules/evaluate'

workflow EVALUATION {
    take:
    samples // [meta, annotation, fasta, labels, bundle, identity]
    kept    // a file in the folder of what outlives the run
    given   // files that flags name
    flags

    main:
    EVALUATE(samples, kept, given, flags)
    evaluations = EVALUATE.out.evaluation

    emit:
    evaluations // [meta, folder]
}
