# The kqueue addon: one primitive, plus the C++ every backend shares.
{
  'includes': ['../../addon/native.gypi'],
  'targets': [
    {
      'target_name': 'kqueue',
      'sources': ['kqueue.cc', '<!@(node ../../addon/sources.mjs ../../addon/src)'],
    },
  ],
}
