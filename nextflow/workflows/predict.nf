include { PREDICT } from '../modules/predict'
include { GATHER  } from '../modules/gather'

workflow PREDICTION {
    take:
    shards    // [meta, shard, fasta, bundle, identity]
    scattered // [meta, folder]
    kept      // a file in the folder that is kept from run to run, or []
    given     // files that options name
    flags
    about     // what launched this run

    main:
    PREDICT(shards, kept, given, flags)

    // Sorted by name, not by time of arrival: the gathering task is then the same at each -resume.
    parts = PREDICT.out.part
        .map { meta, part -> [groupKey(meta.id, meta.shards), part] }
        .groupTuple()
        .map { id, parts -> [id.toString(), parts.toSorted { part -> part.name }] }
    GATHER(
        scattered
            .map { meta, folder -> [meta.id, meta, folder] }
            .join(parts)
            .map { _id, meta, folder, found -> [meta, folder, found] },
        about,
    )
    predictions = GATHER.out.prediction

    emit:
    predictions // [meta, folder]
}
