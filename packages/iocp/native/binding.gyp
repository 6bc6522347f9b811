# The iocp addon: one primitive, plus the C++ every backend shares. For MSVC on Windows itself; from
# Linux it is scripts/build-all.mjs that builds it.
{
  'includes': ['../../addon/native.gypi'],
  'targets': [
    {
      'target_name': 'iocp',
      'sources': ['<!@(node ../../addon/sources.mjs ../../addon/src)'],
      'conditions': [
        ['OS=="win"', { 'sources': ['afd.cc', 'handle_watch.cc', 'iocp.cc', 'poll_set.cc'] }],
      ],
    },
  ],
}
