include { PREDICT } from '../modules/predict'
include { GATHER  } from '../modules/gather'
include { TRACKS  } from '../modules/tracks'

workflow PREDICTION {
    take:
    shards    // [meta, shard, fasta, bundle, identity]
    scattered // [meta, folder, bundle]
    genomes   // [id, fasta]
    kept      // a file in the folder that is kept from run to run, or []
    given     // files that options name
    flags
    about     // what launched this run
    tracks    // true: also make tracks

    main:
    PREDICT(shards, kept, given, flags)

    // Sorted by name, not by time of arrival: the gathering task is then the same at each -resume.
    parts = PREDICT.out.part
        .map { meta, part -> [groupKey(meta.id, meta.shards), part] }
        .groupTuple()
        .map { id, parts -> [id.toString(), parts.toSorted { part -> part.name }] }
    GATHER(
        scattered
            .map { meta, folder, bundle -> [meta.id, meta, folder, bundle] }
            .join(parts)
            .map { _id, meta, folder, bundle, found -> [meta, folder, bundle, found] },
        about,
    )
    predictions = GATHER.out.results
    if (tracks) {
        TRACKS(
            predictions
                .map { meta, folder -> [meta.id, meta, folder] }
                .join(genomes)
                .map { _id, meta, folder, fasta -> [meta, folder, fasta] },
            kept,
        )
        finished = TRACKS.out.tracks
    }
    else {
        finished = predictions
    }

    emit:
    predictions // [meta, folder]
    finished    // those with their tracks, if there are any: [meta, folder]
}
