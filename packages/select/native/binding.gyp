# The select addon: one primitive, plus the C++ every backend shares.
{
  'includes': ['../../addon/native.gypi'],
  'targets': [
    {
      'target_name': 'select',
      'sources': ['<!@(node ../../addon/sources.mjs ../../addon/src)'],
      'conditions': [
        ['OS!="win"', {
          'sources': ['select_posix.cc'],
        }],
        ['OS=="win"', {
          'sources': ['select_windows.cc'],
        }],
      ],
    },
  ],
}
