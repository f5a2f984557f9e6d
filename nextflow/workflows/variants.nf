include { VARIANTS } from '../modules/variants'
include { GATHER   } from '../modules/gather'

workflow EFFECTS {
    take:
    shards    // [meta, files of the shard, fasta, bundle, identity]
    scattered // [meta, folder, bundle]
    kept      // a file in the folder that is kept from run to run, or []
    given     // files that options name
    flags
    about     // what launched this run

    main:
    VARIANTS(shards, kept, given, flags)

    // Sorted by name, not by time of arrival: the gathering task is then the same at each -resume.
    parts = VARIANTS.out.part
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
    effects = GATHER.out.results

    emit:
    effects // [meta, folder]
}
