include { PREDICT  } from '../modules/predict'
include { VARIANTS } from '../modules/variants'
include { GATHER   } from '../modules/gather'
include { TRACKS   } from '../modules/tracks'

// Score the shards of annotations or of VCFs, and make one folder a sample.
workflow SCORING {
    take:
    shards    // [meta, files of the shard, fasta, bundle, identity]
    scattered // [meta, folder, bundle]
    genomes   // [id, fasta]
    kept      // a file in the folder that is kept from run to run, or []
    given     // files that options name
    flags
    about     // what launched this run
    variants  // true: the shards are of VCFs
    tracks    // true: also make tracks

    main:
    if (variants) {
        VARIANTS(shards, kept, given, flags)
        scored = VARIANTS.out.part
    }
    else {
        PREDICT(shards, kept, given, flags)
        scored = PREDICT.out.part
    }

    // Sorted by name, not by time of arrival: the gathering task is then the same at each -resume.
    parts = scored
        .map { meta, part -> [groupKey(meta.id, meta.shards), part] }
        .groupTuple()
        .map { id, parts -> [id.toString(), parts.toSorted { part -> part.name }] }
    GATHER(
        scattered
            .map { meta, folder, bundle -> [meta.id, meta, folder, bundle] }
            .join(parts)
            .join(genomes)
            .map { _id, meta, folder, bundle, found, fasta -> [meta, folder, bundle, found, variants ? [] : fasta] },
        kept,
        about,
    )
    results = GATHER.out.results
    if (tracks) {
        TRACKS(
            results
                .map { meta, folder -> [meta.id, meta, folder] }
                .join(genomes)
                .map { _id, meta, folder, fasta -> [meta, folder, fasta] },
            kept,
        )
        finished = TRACKS.out.tracks
    }
    else {
        finished = results
    }

    emit:
    results  // [meta, folder]
    finished // those with their tracks, if there are any: [meta, folder]
}
